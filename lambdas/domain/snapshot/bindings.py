"""Resolves bindings and settings from parameters, and lists bound ServiceAccounts."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard

from lambdas.contract.names import ANY_CLUSTER
from lambdas.contract.parameters import KUBERNETES_NAME, Mechanism, ServiceAccountRef, binding_path, split_binding_path, valid_cluster
from lambdas.contract.partitions import DNS_SUFFIXES
from lambdas.contract.settings import Floor, Settings, read_settings
from lambdas.domain.snapshot.snapshot import Association, AssociationSettings, Binding, InvalidBinding, Missing


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of Parameter Store. `type` is `String`, `StringList` or `SecureString` (never decrypted)."""

    value: str
    type: str = "String"
    version: int = 1
    changed_at: datetime | None = None


ROLE_ARN: Final = re.compile(
    rf"arn:(?P<partition>{'|'.join(DNS_SUFFIXES)}):iam::(?P<account>\d{{12}}):role/(?:[!-9;-~]{{1,510}}/)?[\w+=,.@-]{{1,64}}\Z", re.ASCII
)
"""IAM allows a colon in a path. It is refused here, because it is usually a second ARN in the same parameter.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""

_PLACEHOLDERS: Final = ("partition", "account", "region", "cluster")


def cluster_settings(parameters: Mapping[str, Parameter], cluster: str, floor: Floor) -> tuple[Settings, dict[str, str]]:
    """The settings of a cluster, limited by the floor, and for each invalid value `path -> what is allowed`."""
    return read_settings({path: parameter.value for path, parameter in parameters.items()}, cluster, floor)


def resolve_binding(
    parameters: Mapping[str, Parameter], target: ServiceAccountRef, *, account: str, partition: str, region: str
) -> Binding | InvalidBinding | Missing:
    """The cluster's own binding, else the default binding with its placeholders replaced.

    `Missing.what` is the path that would bind the ServiceAccount.
    """
    own = binding_path(target.cluster, target.namespace, target.name)
    path = next((item for item in (own, binding_path(ANY_CLUSTER, target.namespace, target.name)) if item in parameters), None)
    if path is None:
        return Missing(own)
    parameter = parameters[path]
    if parameter.type != "String":
        return InvalidBinding(path=path, reason=f"is a {parameter.type}; a binding is a String")
    value = parse_binding_value(parameter.value)
    if isinstance(value, str):
        return InvalidBinding(path=path, reason=value)
    values = {"partition": partition, "account": account, "region": region, "cluster": target.cluster}
    role, target_role = _fill(value.role, values), _fill(value.target_role, values)
    if reason := role_arn_problem(role, partition):
        return InvalidBinding(path=path, reason=reason)
    if target_role and (reason := role_arn_problem(target_role, partition)):
        return InvalidBinding(path=path, reason=f"has a target role that {reason}")
    return Binding(
        path=path,
        role_arn=role,
        version=parameter.version,
        changed_at=parameter.changed_at,
        mechanism=value.mechanism,
        target_role_arn=target_role or None,
        session_tags=value.session_tags,
        policy=_fill(value.policy, values),
    )


def wants_association(binding: object) -> TypeGuard[Binding]:
    """Whether this is a binding that asks for EKS Pod Identity."""
    return isinstance(binding, Binding) and binding.mechanism is Mechanism.POD_IDENTITY


def desired_settings(binding: Binding, found: Association | None) -> AssociationSettings:
    """What the association has to give. Session tags and policy that the binding does not name stay as they are."""
    tags = found.has_session_tags if found else True
    return AssociationSettings(
        role_arn=binding.role_arn,
        target_role_arn=binding.target_role_arn,
        has_session_tags=tags if binding.session_tags is None else binding.session_tags,
        policy=binding.policy or (found.policy if found else ""),
    )


def canonical_json(text: str) -> str:
    """The text with sorted keys and without blanks, so that equal documents are equal texts; unchanged where it is no JSON."""
    try:
        return _dump(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _dump(document: object) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class BindingValue:
    """The value of a binding, with its placeholders: a role ARN alone, or a JSON object with the keys of `_KEYS`.

    `session_tags` is None where it is not named. `policy` is the session policy as canonical JSON, empty for none.
    """

    role: str
    mechanism: Mechanism | None = None
    target_role: str = ""
    session_tags: bool | None = None
    policy: str = ""

    @property
    def text(self) -> str:
        """The value as the parameter stores it: the ARN alone where nothing else is set."""
        if self.mechanism is None:
            return self.role
        found: dict[str, Any] = {"role": self.role, "mechanism": self.mechanism}
        found |= {"target_role": self.target_role} if self.target_role else {}
        found |= {"session_tags": self.session_tags} if self.session_tags is not None else {}
        return json.dumps(found | ({"policy": json.loads(self.policy)} if self.policy else {}))


_JSON_OBJECT: Final = re.compile(r'\{\s*["}]')
"""Matches the start of a JSON object. A placeholder begins with a brace, too."""
_KEYS: Final[Mapping[str, tuple[type, str]]] = {
    "role": (str, "a text"),
    "mechanism": (str, "a text"),
    "target_role": (str, "a text"),
    "session_tags": (bool, "true or false"),
    "policy": (dict, "a policy document"),
}
"""The keys of a binding with their types."""
_KEYS_TEXT: Final = "the keys are role, mechanism, target_role, session_tags and policy"
_ASSOCIATION_KEYS: Final = {"target_role": "a target role", "session_tags": "session tags", "policy": "a policy"}
"""Keys that need the mechanism pod-identity, and how a sentence names them."""


def parse_binding_value(text: str) -> BindingValue | str:
    """The parsed value, or why it is no binding, as words after the parameter's name."""
    text = text.strip()
    if not _JSON_OBJECT.match(text):
        return BindingValue(role=text)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return f"is neither a role ARN nor a JSON object: {text[:200]!r}"
    if not isinstance(found, dict):
        return f"is not a JSON object; {_KEYS_TEXT}"
    if problem := _object_problem(found):
        return problem
    mechanism, policy = found.get("mechanism"), found.get("policy")
    return BindingValue(
        role=found["role"].strip(),
        mechanism=Mechanism(mechanism) if mechanism else None,
        target_role=found.get("target_role", "").strip(),
        session_tags=found.get("session_tags"),
        policy=_dump(policy) if policy else "",
    )


def _object_problem(found: Mapping[str, Any]) -> str | None:
    if unknown := sorted(set(found) - set(_KEYS)):
        return f"has the unknown key {unknown[0][:40]!r}; {_KEYS_TEXT}"
    if "role" not in found:
        return f"has no role; {_KEYS_TEXT}"
    for key, value in found.items():
        kind, description = _KEYS[key]
        if not isinstance(value, kind):
            return f"has a {key} that is not {description}"
    mechanism = found.get("mechanism")
    if mechanism is not None and mechanism not in tuple(Mechanism):
        return f"has the unknown mechanism {mechanism[:40]!r}; there are {' and '.join(Mechanism)}"
    given = next((name for key, name in _ASSOCIATION_KEYS.items() if found.get(key) not in (None, "")), None)
    if given and mechanism != Mechanism.POD_IDENTITY:
        return f"has {given}, which needs the mechanism {Mechanism.POD_IDENTITY}"
    if found.get("policy") and found.get("session_tags") is not False:
        return "has a policy, which EKS takes only without session tags; add session_tags: false"
    return None


def role_arn_problem(value: str, partition: str) -> str | None:
    """Why the text is not a role of the partition, as words after the parameter's name; None where it is one."""
    matched = ROLE_ARN.match(value)
    if matched is None:
        unresolved = [name for name in re.findall(r"\{(\w*)\}", value) if name not in _PLACEHOLDERS]
        known = ", ".join(f"{{{name}}}" for name in _PLACEHOLDERS)
        return (
            f"holds an unknown placeholder, {{{unresolved[0][:40]}}}; there are {known}"
            if unresolved
            else f"is not a role ARN: {value[:200]!r}"
        )
    if matched["partition"] != partition:
        return f"names a role of partition {matched['partition']}; this account is in {partition}"
    return None


def _fill(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


def bound_targets(paths: Iterable[str], clusters: Iterable[str]) -> tuple[ServiceAccountRef, ...]:
    """Every ServiceAccount with a binding in these clusters, sorted. Other paths are ignored.

    A default binding applies to each cluster.
    """
    bound = [parts for path in paths if (parts := split_binding_path(path)) and _valid(*parts)]
    return tuple(
        sorted(
            {ServiceAccountRef(cluster, ns, name) for cluster in clusters for whose, ns, name in bound if whose in (cluster, ANY_CLUSTER)}
        )
    )


def bound_clusters(paths: Iterable[str]) -> tuple[str, ...]:
    """Sorted names of clusters with a binding of their own."""
    parts = (split_binding_path(path) for path in paths)
    return tuple(sorted({part[0] for part in parts if part and part[0] != ANY_CLUSTER and _valid(*part)}))


def has_default(paths: Iterable[str]) -> bool:
    """Whether a binding applies to every cluster."""
    return any(parts and parts[0] == ANY_CLUSTER for parts in map(split_binding_path, paths))


def _valid(cluster: str, namespace: str, name: str) -> bool:
    return valid_cluster(cluster) or cluster == ANY_CLUSTER if KUBERNETES_NAME.match(namespace) and KUBERNETES_NAME.match(name) else False
