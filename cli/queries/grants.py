"""Compare the access that the functions need in a cluster with the access that the cluster grants."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from cli.queries.admission_policies import RequiredPolicies, read_policies, without_patch
from lambdas.contract.access import GROUPS
from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cli.clients.dependencies import Dependencies
    from lambdas.contract.environment import Function

Json = dict[str, Any]


class GrantState(StrEnum):
    """Whether the cluster grants it."""

    GRANTED = "granted"
    MISSING = "missing"
    UNKNOWN = "unknown"
    NOT_SUPPORTED = "not-supported"


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One required grant. `detail` says what is missing or why the state is unknown. `is_manual`: `--apply` cannot grant it."""

    name: str
    state: GrantState
    detail: str = ""
    is_manual: bool = False

    @property
    def document(self) -> Json:
        """The grant as JSON."""
        return {"name": self.name, "state": self.state, "detail": self.detail or None}


@dataclass(frozen=True, kw_only=True)
class RequiredAccess:
    """Access that one cluster has to grant: roles by function, and RBAC objects.

    `policies` limit the roles in the cluster; `has_policies` is False where the caller does without them.
    `has_access_entries`: the cluster supports access entries, not only aws-auth. `without_workload` lists bound ServiceAccounts,
    `namespace/name`, whose workload is unknown because they have no pods yet.
    """

    cluster: str
    roles: Mapping[Function, str]
    objects: Sequence[Json]
    policies: RequiredPolicies = field(default_factory=RequiredPolicies)
    has_policies: bool = True
    has_access_entries: bool = True
    without_workload: Sequence[str] = ()


NO_PODS: Final = "the ServiceAccount has no pods, so its workload is unknown; run this command again when it has pods"


def read_grants(required: RequiredAccess, dependencies: Dependencies) -> Iterator[Grant]:
    """Return a grant for each role, object and admission policy, and for each ServiceAccount without a known workload."""
    if not required.roles:
        yield Grant(name="roles", state=GrantState.UNKNOWN, detail="no stack is deployed here, so its roles are unknown")
    for function, group in GROUPS.items():
        if function in required.roles:
            yield _entry_grant(required, required.roles[function], group, dependencies)
    for manifest in required.objects:
        yield _object_grant(required.cluster, manifest, dependencies)
    if required.has_policies:
        yield from _policy_grants(required, dependencies)
    for name in required.without_workload:
        yield Grant(name=f"restart the workload of {name}", state=GrantState.UNKNOWN, detail=NO_PODS, is_manual=True)


def _entry_grant(required: RequiredAccess, role_arn: str, group: str, dependencies: Dependencies) -> Grant:
    kind = "access entry" if required.has_access_entries else "aws-auth"
    name = f"{kind} {role_arn.rpartition('/')[2]}"
    try:
        if not required.has_access_entries:
            map_roles = dependencies.cluster_access.aws_auth(required.cluster) or ""
            if role_arn in map_roles and group in map_roles:
                return Grant(name=name, state=GrantState.GRANTED, is_manual=True)
            return Grant(name=name, state=GrantState.MISSING, detail=f"no line with the group {group}", is_manual=True)
        groups = dependencies.cluster_access.groups_of(required.cluster, role_arn)
    except RemediatorError as error:
        return Grant(name=name, state=GrantState.UNKNOWN, detail=str(error))
    if groups is None:
        return Grant(name=name, state=GrantState.MISSING, detail=f"no access entry for {role_arn}")
    if group not in groups:
        return Grant(name=name, state=GrantState.MISSING, detail=f"lacks the group {group}")
    return Grant(name=name, state=GrantState.GRANTED)


def _object_grant(cluster: str, manifest: Json, dependencies: Dependencies) -> Grant:
    namespace = manifest["metadata"].get("namespace")
    name = f"{manifest['kind']} {namespace + '/' if namespace else ''}{manifest['metadata']['name']}"
    try:
        existing = dependencies.cluster_access.read(cluster, manifest)
    except RemediatorError as error:
        return Grant(name=name, state=GrantState.UNKNOWN, detail=str(error))
    differences = ["does not exist"] if existing is None else _differences(manifest, existing)
    return Grant(name=name, state=GrantState.MISSING if differences else GrantState.GRANTED, detail="; ".join(differences))


def _policy_grants(required: RequiredAccess, dependencies: Dependencies) -> Iterator[Grant]:
    if required.policies.omitted:
        advice = "" if not required.policies.restarts else f". Do without the right to patch workloads: {without_patch(required.cluster)}"
        yield Grant(name="admission policies", state=GrantState.NOT_SUPPORTED, detail=required.policies.omitted + advice)
        return
    try:
        for policy in read_policies(required.cluster, required.policies, dependencies.cluster_access):
            state = GrantState.MISSING if policy.problem else GrantState.GRANTED
            yield Grant(name=f"admission policy {policy.name}", state=state, detail="; ".join(filter(None, (policy.problem, policy.note))))
    except RemediatorError as error:
        yield Grant(name="admission policies", state=GrantState.UNKNOWN, detail=str(error))


def _differences(manifest: Json, existing: Mapping[str, Any]) -> list[str]:
    """Return what the object lacks: rules of a Role, role or subject of a binding."""
    if "rules" in manifest:
        return [_rule_text(rule) for rule in manifest["rules"] if not any(_covers(other, rule) for other in existing.get("rules") or ())]
    wrong_role = [] if existing.get("roleRef") == manifest["roleRef"] else [f"refers to {(existing.get('roleRef') or {}).get('name')}"]
    subjects = {(subject.get("kind"), subject.get("name")) for subject in existing.get("subjects") or ()}
    missing = [subject for subject in manifest["subjects"] if (subject["kind"], subject["name"]) not in subjects]
    return wrong_role + [f"lacks the group {subject['name']}" for subject in missing]


def _covers(existing: Mapping[str, Any], required: Mapping[str, Any]) -> bool:
    def includes(key: str) -> bool:
        values = existing.get(key) or ()
        return "*" in values or set(required[key]) <= set(values)

    names = existing.get("resourceNames")
    has_names = not names or set(required.get("resourceNames", ("",))) <= set(names)
    return all(map(includes, ("apiGroups", "resources", "verbs"))) and has_names


def _rule_text(rule: Mapping[str, Any]) -> str:
    names = f" {', '.join(rule['resourceNames'])}" if rule.get("resourceNames") else ""
    return f"lacks {', '.join(rule['verbs'])} on {', '.join(rule['resources'])}{names}"
