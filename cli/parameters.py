"""`bindings` and `settings`: list, set, unset, validate. What is written is checked first, by the same readers as the functions'."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from cli import wiring
from cli.failures import BROKEN, SOUND, Refused
from cli.output import progress, write
from lambdas.contract.names import ANY_CLUSTER
from lambdas.contract.parameters import BINDINGS_FOLDER, SETTINGS_FOLDER, ServiceAccountRef, binding_path, split_binding_path, valid_cluster
from lambdas.contract.settings import InvalidValue, Settings, parse_setting, settings_path
from lambdas.domain.binding import binding_for
from lambdas.domain.observation import InvalidBinding, Missing
from lambdas.domain.report.escaping import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cli.options import Asked
    from cli.wiring import Outside
    from lambdas.domain.ports import Parameter

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One parameter: whose it is, what it is called below that, its text, and what is wrong with it."""

    path: str
    cluster: str
    name: str
    value: str
    problem: str = ""
    changed_at: str = ""

    @property
    def document(self) -> Json:
        """For programs."""
        told = {"path": self.path, "cluster": self.cluster, "name": self.name, "value": self.value}
        return told | {"problem": self.problem or None, "changedAt": self.changed_at or None}


def whose(cluster: str) -> str:
    """The cluster's segment of a path.

    Raises:
        Refused: it is neither a cluster's name nor `_default`.
    """
    if cluster != ANY_CLUSTER and not valid_cluster(cluster):
        raise Refused(f"{cluster!r} is no name of an EKS cluster", then=f"name a cluster, or {ANY_CLUSTER} for all without their own")
    return cluster


# --- bindings ----------------------------------------------------------------------------------------------------------------------------


def bindings(outside: Outside) -> list[Line]:
    """Every binding, with what is wrong with it: its text, and the role where it can be read."""
    parameters = outside.readers.parameters.load()
    return [_binding(path, parameters[path], outside) for path in sorted(parameters) if path.startswith(BINDINGS_FOLDER + "/")]


def _binding(path: str, parameter: Parameter, outside: Outside) -> Line:
    parts = split_binding_path(path)
    changed = parameter.changed_at.isoformat() if parameter.changed_at else ""
    if parts is None:
        rest = path.removeprefix(BINDINGS_FOLDER + "/")
        return Line(path=path, cluster="", name=rest, value="", problem="is no path of a binding: <cluster>/<namespace>/<service account>")
    cluster, namespace, name = parts
    value = parameter.value if parameter.type == "String" else f"({parameter.type})"
    problem = _wrong_binding(path, parameter, ServiceAccountRef(cluster, namespace, name), outside)
    return Line(path=path, cluster=cluster, name=f"{namespace}/{name}", value=value, problem=problem, changed_at=changed)


def _wrong_binding(path: str, parameter: Parameter, target: ServiceAccountRef, outside: Outside) -> str:
    readers = outside.readers
    example = ServiceAccountRef("cluster", target.namespace, target.name) if target.cluster == ANY_CLUSTER else target
    found = binding_for({path: parameter}, example, account=readers.account, partition=readers.partition, region=readers.region)
    if isinstance(found, InvalidBinding):
        return found.reason
    if isinstance(found, Missing):
        return "is no path that the remediator reads"
    placeholder = target.cluster == ANY_CLUSTER and "{cluster}" in parameter.value
    return "" if placeholder else _wrong_role(found.role_arn, outside)


def _wrong_role(arn: str, outside: Outside) -> str:
    """Empty where the role exists, or cannot be read: only a role that is surely missing is wrong."""
    from lambdas.domain.errors import AccessDenied

    try:
        found = outside.readers.iam.role(arn)
    except AccessDenied:
        return ""
    return f"names no role that exists: {found.what}" if isinstance(found, Missing) else ""


def set_binding(cluster: str, account: tuple[str, str], role_arn: str, outside: Outside) -> Line:
    """Write one binding.

    Raises:
        Refused: the text is no role of this partition, or the role does not exist.
    """
    from lambdas.domain.ports import Parameter

    path = binding_path(whose(cluster), *account)
    problem = _wrong_binding(path, Parameter(value=role_arn), ServiceAccountRef(cluster, *account), outside)
    if problem:
        raise Refused(
            f"the binding {problem}", then="give the ARN of a role that exists; {partition} {account} {region} {cluster} are filled in"
        )
    outside.parameters.put(path, role_arn)
    return Line(path=path, cluster=cluster, name="/".join(account), value=role_arn)


# --- settings ----------------------------------------------------------------------------------------------------------------------------


def settings(outside: Outside) -> list[Line]:
    """Every setting that is written."""
    parameters = outside.readers.parameters.load()
    return [_setting(path, parameters[path]) for path in sorted(parameters) if path.startswith(SETTINGS_FOLDER + "/")]


def _setting(path: str, parameter: Parameter) -> Line:
    cluster, _, name = path.removeprefix(SETTINGS_FOLDER + "/").partition("/")
    changed = parameter.changed_at.isoformat() if parameter.changed_at else ""
    return Line(
        path=path, cluster=cluster, name=name, value=parameter.value, problem=_wrong_setting(name, parameter.value), changed_at=changed
    )


def _wrong_setting(name: str, text: str) -> str:
    try:
        parse_setting(name, text)
    except InvalidValue as error:
        return f"must be {error}" if "no such" not in str(error) else str(error)
    return ""


def set_setting(cluster: str, name: str, text: str, outside: Outside) -> Line:
    """Write one setting.

    Raises:
        Refused: there is no such setting, or it does not take this value; says what is allowed.
    """
    if problem := _wrong_setting(name, text):
        raise Refused(f"{name}: {problem}", then="irsa-remediator settings describe lists what there is")
    path = settings_path(whose(cluster), name)
    outside.parameters.put(path, text)
    return Line(path=path, cluster=cluster, name=name, value=text)


def described() -> list[Json]:
    """Every setting with its default and what it means."""
    from dataclasses import fields

    return [{"name": it.name, "default": it.metadata["default"], "description": it.metadata["description"]} for it in fields(Settings)]


# --- both --------------------------------------------------------------------------------------------------------------------------------


def listed(asked: Asked, kind: str, cluster: str, *, validate: bool) -> int:
    """List them, or with `validate` those that are wrong alone. Exit code 1 where one is wrong and validation was asked for."""
    outside = wiring.connect(asked)
    with progress(f"reading {kind}"):
        found = (bindings if kind == "bindings" else settings)(outside)
    chosen = [it for it in found if not cluster or it.cluster == cluster]
    code = BROKEN if validate and any(it.problem for it in chosen) else SOUND
    document = {"command": f"{kind} {'validate' if validate else 'list'}", "exitCode": code, kind: [it.document for it in chosen]}
    told = [_verdict(chosen)] if validate else []
    write(asked.output, document, *([_table(chosen), *told] if chosen else [Text(_empty(kind), style="dim")]))
    return code


def _empty(kind: str) -> str:
    then = "irsa-remediator adopt writes them" if kind == "bindings" else "irsa-remediator settings describe lists what can be set"
    return f"There are none. {then}."


def _verdict(lines: list[Line]) -> Text:
    wrong = sum(bool(it.problem) for it in lines)
    return Text(f"{wrong} of {len(lines)} wrong", style="bold red") if wrong else Text(f"all {len(lines)} valid", style="green")


def _table(lines: Iterable[Line]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("", "cluster", "name", "value"):
        table.add_column(column, overflow="fold")
    for it in lines:
        mark = Text("✗", style="bold red") if it.problem else Text("✓", style="green")
        value = Text(plain(it.value)).append(f"\n{plain(it.problem)}" if it.problem else "", style="red")
        table.add_row(mark, plain(it.cluster), plain(it.name), value)
    return table


def changed(asked: Asked, line: Line, former: Mapping[str, Parameter], command: str) -> int:
    """Tell what was written."""
    old = former[line.path].value if line.path in former else ""
    was = f" (was {plain(old)})" if old and old != line.value else " (as before)" if old else ""
    write(
        asked.output,
        {"command": command, "exitCode": SOUND, "written": line.document | {"former": old or None}},
        Text(f"{line.path}\n  = {line.value}{was}"),
    )
    return SOUND


def unset(asked: Asked, path: str, outside: Outside, command: str) -> int:
    """Remove one parameter. Exit code 1 where there was none."""
    gone = outside.parameters.delete(path)
    words = "removed" if gone else "was not there"
    write(asked.output, {"command": command, "exitCode": SOUND if gone else BROKEN, "path": path, "removed": gone}, Text(f"{path} {words}"))
    return SOUND if gone else BROKEN
