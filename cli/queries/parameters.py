"""Bindings and settings in Parameter Store: list, validate, and set after the validation that the functions apply."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final

from cli.errors import CommandError
from cli.queries.cluster_names import existing_clusters, missing_cluster
from lambdas.contract.names import ANY_CLUSTER
from lambdas.contract.parameters import BINDINGS_FOLDER, SETTINGS_FOLDER, ServiceAccountRef, binding_path, split_binding_path, valid_cluster
from lambdas.contract.settings import (
    FLOOR_NAMES,
    NAMES,
    UNKNOWN_FLOOR,
    InvalidValue,
    Settings,
    floor_texts,
    parse_setting,
    raise_to_floor,
    settings_path,
)
from lambdas.domain.errors import AccessDenied, RemediatorError
from lambdas.domain.fleet import Fleet, fleet
from lambdas.domain.snapshot.bindings import BindingValue, Parameter, parse_binding_value
from lambdas.domain.snapshot.snapshot import InvalidBinding, Missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.clients.dependencies import Dependencies

Json = dict[str, Any]

_CLUSTER_GONE: Final = "this account and region have no such cluster: unset the binding if the cluster was deleted"


_NO_FUNCTION: Final = "no function of the stack was found, or you may not read its configuration (lambda:GetFunctionConfiguration)"
_FLOOR_NOT_IN_SHELL: Final = "the variables of this shell replace those of the functions, and IRSA_SETTINGS_FLOOR is not set"


@dataclass(frozen=True, kw_only=True)
class ParameterEntry:
    """One parameter: cluster, name below the cluster, value, and the problem with it, if any.

    `raised_to` is the floor of the deployment, where it replaces a less strict value. `mechanism` is the one that a binding names.
    """

    path: str
    cluster: str
    name: str
    value: str
    problem: str = ""
    changed_at: str = ""
    raised_to: str = ""
    mechanism: str = ""

    @property
    def document(self) -> Json:
        """The parameter as JSON."""
        fields = {"path": self.path, "cluster": self.cluster, "name": self.name, "value": self.value}
        raised = {"raisedTo": self.raised_to} if self.raised_to else {}
        mechanism = {"mechanism": self.mechanism or None} if self.path.startswith(BINDINGS_FOLDER + "/") else {}
        return fields | {"problem": self.problem or None, "changedAt": self.changed_at or None} | raised | mechanism


def cluster_segment(cluster: str) -> str:
    """Return the cluster's segment of a parameter path.

    Raises:
        CommandError: the text is neither a valid cluster name nor `_default`.
    """
    if cluster != ANY_CLUSTER and not valid_cluster(cluster):
        next_step = f"name a cluster, or {ANY_CLUSTER} for all clusters without their own value"
        raise CommandError(f"{cluster!r} is not a valid EKS cluster name", next_step=next_step)
    return cluster


# --- bindings ----------------------------------------------------------------------------------------------------------------------------


def bindings(dependencies: Dependencies) -> list[ParameterEntry]:
    """Return every binding with its problem: invalid value, missing cluster, or missing role where roles can be read."""
    parameters, gone = dependencies.readers.parameters.load(), compare_clusters(dependencies).gone
    entries = [
        _binding_entry(path, parameters[path], dependencies) for path in sorted(parameters) if path.startswith(BINDINGS_FOLDER + "/")
    ]
    return [replace(entry, problem=entry.problem or _CLUSTER_GONE) if entry.cluster in gone else entry for entry in entries]


def compare_clusters(dependencies: Dependencies) -> Fleet:
    """Return bound, unbound and deleted clusters. Where the caller may not list clusters, none counts as unbound or deleted."""
    try:
        existing = dependencies.readers.eks.clusters()
    except RemediatorError:
        existing = None
    return fleet(dependencies.readers.parameters.load(), existing, dependencies.environment.serves)


def _binding_entry(path: str, parameter: Parameter, dependencies: Dependencies) -> ParameterEntry:
    parts = split_binding_path(path)
    if parts is None:
        name = path.removeprefix(BINDINGS_FOLDER + "/")
        problem = "is not the path of a binding: <cluster>/<namespace>/<service account>"
        return ParameterEntry(path=path, cluster="", name=name, value="", problem=problem)
    target = ServiceAccountRef(*parts)
    return ParameterEntry(
        path=path,
        cluster=target.cluster,
        name=f"{target.namespace}/{target.name}",
        value=parameter.value if parameter.type == "String" else f"({parameter.type})",
        problem=_binding_problem(path, parameter, target, dependencies),
        changed_at=_changed_at(parameter),
        mechanism=_mechanism(parameter.value),
    )


def _mechanism(text: str) -> str:
    value = parse_binding_value(text)
    return str(value.mechanism or "") if isinstance(value, BindingValue) else ""


def binding_text(
    role_arn: str, mechanism: str = "", target_role_arn: str = "", *, session_tags: bool | None = None, policy: str = ""
) -> str:
    """Return the value of a binding: the role alone, or a JSON object where more is given. `policy` is a policy document as JSON.

    Raises:
        CommandError: the mechanism does not exist, or does not support what is given, or the policy is no JSON.
    """
    try:
        given = {"mechanism": mechanism, "target_role": target_role_arn, "policy": json.loads(policy) if policy else None}
    except ValueError as error:
        raise CommandError(f"the session policy is not JSON: {error}", next_step="give a file with a policy document") from error
    members = {key: value for key, value in given.items() if value} | ({} if session_tags is None else {"session_tags": session_tags})
    value = parse_binding_value(json.dumps({"role": role_arn} | members) if members else role_arn)
    if isinstance(value, str):
        raise CommandError(f"the binding {value}", next_step="run irsa-remediator bindings set --help for the options")
    return value.text


def _changed_at(parameter: Parameter) -> str:
    return parameter.changed_at.isoformat() if parameter.changed_at else ""


def _binding_problem(path: str, parameter: Parameter, target: ServiceAccountRef, dependencies: Dependencies) -> str:
    example = ServiceAccountRef("cluster", target.namespace, target.name) if target.cluster == ANY_CLUSTER else target
    binding = dependencies.readers.binding({path: parameter}, example)
    if isinstance(binding, InvalidBinding):
        return binding.reason
    if isinstance(binding, Missing):
        return "is not a path that the remediator reads"
    is_template = target.cluster == ANY_CLUSTER and "{cluster}" in parameter.value
    return "" if is_template else _role_problem(binding.role_arn, dependencies)


def _role_problem(arn: str, dependencies: Dependencies) -> str:
    """Return a problem only where the role is known to be missing: a role that cannot be read may exist."""
    try:
        role = dependencies.readers.iam.role(arn)
    except AccessDenied:
        return ""
    return f"names a role that does not exist: {role.what}" if isinstance(role, Missing) else ""


def set_binding(cluster: str, account: tuple[str, str], value: str, dependencies: Dependencies) -> ParameterEntry:
    """Write one binding, a role or a JSON object, and return it.

    Raises:
        CommandError: the text is not a role of this partition, or the role does not exist.
    """
    target = ServiceAccountRef(cluster_segment(cluster), *account)
    path = binding_path(target.cluster, target.namespace, target.name)
    if problem := _binding_problem(path, Parameter(value=value), target, dependencies):
        next_step = "give the ARN of an existing role; {partition} {account} {region} {cluster} are replaced"
        raise CommandError(f"the binding {problem}", next_step=next_step)
    dependencies.parameters.put(path, value)
    problem = missing_cluster(cluster, existing_clusters(dependencies))
    name, mechanism = "/".join(account), _mechanism(value)
    return ParameterEntry(path=path, cluster=cluster, name=name, value=value, problem=problem, mechanism=mechanism)


# --- settings ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SettingFloor:
    """The floor of one setting. `unset` is the value that applies where no parameter sets it: the stricter of default and floor."""

    name: str
    default: str
    floor: str
    unset: str

    @property
    def document(self) -> Json:
        """The floor as JSON."""
        return {"name": self.name, "default": self.default, "floor": self.floor, "valueIfUnset": self.unset}


@dataclass(frozen=True, kw_only=True)
class DeployedFloor:
    """The floors that the deployment sets, by the name of the setting. `unknown` says why they are not known; empty where they are."""

    floors: Mapping[str, SettingFloor] = field(default_factory=dict)
    unknown: str = ""


def deployed_floor(dependencies: Dependencies) -> DeployedFloor:
    """Return the floor from the environment of the deployed functions."""
    text = dependencies.environment.settings_floor
    if text == UNKNOWN_FLOOR:
        return DeployedFloor(unknown=_FLOOR_NOT_IN_SHELL if dependencies.is_deployed else _NO_FUNCTION)
    floor, defaults = floor_texts(text), {declared.name: declared.metadata["default"] for declared in fields(Settings)}
    return DeployedFloor(
        floors={
            name: SettingFloor(
                name=name, default=defaults[name], floor=floor[name], unset=_raised_to(name, defaults[name], floor) or defaults[name]
            )
            for name in FLOOR_NAMES
            if name in floor
        }
    )


def settings(dependencies: Dependencies) -> list[ParameterEntry]:
    """Return every setting that is set, with its problem."""
    parameters = dependencies.readers.parameters.load()
    floor = floor_texts(dependencies.environment.settings_floor)
    existing = existing_clusters(dependencies)
    entries = [_setting_entry(path, parameters[path], floor) for path in sorted(parameters) if path.startswith(SETTINGS_FOLDER + "/")]
    return [replace(entry, problem=entry.problem or missing_cluster(entry.cluster, existing)) for entry in entries]


@dataclass(frozen=True, kw_only=True)
class SettingInForce:
    """The value of a setting that applies to one cluster, and its source: the cluster's parameter, that of `_default`, or neither."""

    name: str
    value: str
    source: str

    @property
    def document(self) -> Json:
        """The setting as JSON."""
        return {"name": self.name, "value": self.value, "source": self.source}


def settings_in_force(cluster: str, dependencies: Dependencies) -> list[SettingInForce]:
    """Return every setting with the value that applies to the cluster. An invalid value counts as not set; the floor limits each."""
    parameters = dependencies.readers.parameters.load()
    floor = floor_texts(dependencies.environment.settings_floor)
    return [_in_force(declared.name, declared.metadata["default"], cluster, parameters, floor) for declared in fields(Settings)]


def _in_force(name: str, default: str, cluster: str, parameters: Mapping[str, Parameter], floor: Mapping[str, str]) -> SettingInForce:
    value, source = default, "default"
    for whose in dict.fromkeys((ANY_CLUSTER, cluster)):
        parameter = parameters.get(settings_path(whose, name))
        if parameter is not None and not _setting_problem(name, parameter.value):
            value, source = parameter.value, f"parameter of {whose}"
    raised = _raised_to(name, value, floor)
    return SettingInForce(name=name, value=raised or value, source="floor of the deployment" if raised else source)


def _setting_entry(path: str, parameter: Parameter, floor: Mapping[str, str]) -> ParameterEntry:
    cluster, _, name = path.removeprefix(SETTINGS_FOLDER + "/").partition("/")
    problem = _setting_problem(name, parameter.value)
    return ParameterEntry(
        path=path,
        cluster=cluster,
        name=name,
        value=parameter.value,
        problem=problem,
        changed_at=_changed_at(parameter),
        raised_to="" if problem else _raised_to(name, parameter.value, floor),
    )


def _raised_to(name: str, text: str, floor: Mapping[str, str]) -> str:
    """The floor, where it is stricter than the value of the parameter."""
    if name not in floor:
        return ""
    value = parse_setting(name, text)
    return "" if raise_to_floor(name, value, {name: parse_setting(name, floor[name])}) == value else floor[name]


def _setting_problem(name: str, value: str) -> str:
    try:
        parse_setting(name, value)
    except InvalidValue as error:
        return str(error) if name not in NAMES else f"must be {error}"
    return ""


def set_setting(cluster: str, name: str, value: str, dependencies: Dependencies) -> ParameterEntry:
    """Write one setting and return it, with the floor that replaces it, and whether its cluster exists.

    Raises:
        CommandError: the setting does not exist, or the value is invalid; says which values are valid.
    """
    if problem := _setting_problem(name, value):
        raise CommandError(f"{name}: {problem}", next_step="list the settings with `irsa-remediator settings describe`")
    path = settings_path(cluster_segment(cluster), name)
    dependencies.parameters.put(path, value)
    raised_to = _raised_to(name, value, floor_texts(dependencies.environment.settings_floor))
    problem = missing_cluster(cluster, existing_clusters(dependencies))
    return ParameterEntry(path=path, cluster=cluster, name=name, value=value, problem=problem, raised_to=raised_to)
