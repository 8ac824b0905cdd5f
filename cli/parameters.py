"""`bindings` and `settings`: list, set, unset, validate. What is written is checked first, by the same readers as the functions'."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from cli.failures import Refused
from lambdas.contract.names import ANY_CLUSTER
from lambdas.contract.parameters import BINDINGS_FOLDER, SETTINGS_FOLDER, ServiceAccountRef, binding_path, split_binding_path, valid_cluster
from lambdas.contract.settings import InvalidValue, parse_setting, settings_path
from lambdas.domain.errors import RemediatorError
from lambdas.domain.fleet import Fleet, fleet
from lambdas.domain.snapshot.bindings import binding_for
from lambdas.domain.snapshot.snapshot import InvalidBinding, Missing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cli.outside import Outside
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
    """Every binding, with what is wrong with it: its text, its cluster, and the role where it can be read."""
    parameters, gone = outside.readers.parameters.load(), compared(outside).gone
    lines = [_binding(path, parameters[path], outside) for path in sorted(parameters) if path.startswith(BINDINGS_FOLDER + "/")]
    return [replace(line, problem=line.problem or _GONE) if line.cluster in gone else line for line in lines]


_GONE: Final = "there is no such cluster in this account and region: unset it where the cluster is gone for good"


def compared(outside: Outside) -> Fleet:
    """The clusters that are bound beside those that there are; where these may not be listed, nothing is known to be missing."""
    try:
        existing = outside.readers.eks.clusters()
    except RemediatorError:
        existing = None
    return fleet(outside.readers.parameters.load(), existing, outside.environment.serves)


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
    early = cluster not in (ANY_CLUSTER, *_existing(outside, otherwise=cluster))
    return Line(path=path, cluster=cluster, name="/".join(account), value=role_arn, problem=_NOT_THERE if early else "")


_NOT_THERE: Final = "there is no such cluster in this account and region yet: mind the name"


def _existing(outside: Outside, *, otherwise: str) -> Iterable[str]:
    """The clusters that there are; where they may not be listed, the one that is asked about is taken to be."""
    try:
        return outside.readers.eks.clusters()
    except RemediatorError:
        return (otherwise,)


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
