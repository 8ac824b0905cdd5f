"""Compare the access that the functions need in a cluster with the access that the cluster grants."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from cli.errors import ExitCode
from cli.queries.admission_policies import PolicyState, RequiredPolicies, read_policies, without_patch
from cli.queries.surplus import groups_of_role, surplus_rules, surplus_statements, surplus_subjects
from lambdas.contract.access import GROUPS
from lambdas.contract.parameters import KUBERNETES_NAME
from lambdas.domain.aws_commands import aws_command
from lambdas.domain.errors import NotFound, RemediatorError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from cli.clients.dependencies import Dependencies
    from cli.clients.ports import GroupBinding
    from lambdas.contract.environment import Function

Json = dict[str, Any]


class GrantState(StrEnum):
    """Whether cluster and account grant it. `surplus`: they grant more than the present configuration needs."""

    GRANTED = "granted"
    MISSING = "missing"
    SURPLUS = "surplus"
    UNKNOWN = "unknown"
    NOT_SUPPORTED = "not-supported"


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One grant. `detail` says what is missing or too much, or why the state is unknown. `is_manual`: `--apply` cannot correct it.

    `next_step` is the command or change that removes what is too much.
    """

    name: str
    state: GrantState
    detail: str = ""
    is_manual: bool = False
    next_step: str = ""

    @property
    def document(self) -> Json:
        """The grant as JSON."""
        return {"name": self.name, "state": self.state, "detail": self.detail or None, "nextStep": self.next_step or None}


@dataclass(frozen=True, kw_only=True)
class RequiredAccess:
    """Access that one cluster has to grant: roles by function, and RBAC objects.

    `policies` limit the roles in the cluster; `has_policies` is False where the caller does without them.
    `has_access_entries`: the cluster supports access entries, not only aws-auth. `without_workload` lists bound ServiceAccounts,
    `namespace/name`, whose workload is unknown because they have no pods yet.
    """

    cluster: str
    region: str
    roles: Mapping[Function, str]
    objects: Sequence[Json]
    policies: RequiredPolicies = field(default_factory=RequiredPolicies)
    has_policies: bool = True
    has_access_entries: bool = True
    without_workload: Sequence[str] = ()

    @property
    def namespaces_without_workload(self) -> frozenset[str]:
        """The namespaces of those ServiceAccounts. Rules and bindings in them may be needed."""
        return frozenset(name.partition("/")[0] for name in self.without_workload)


def exit_code_of(grants: Iterable[Grant]) -> ExitCode:
    """Return 1 where access is missing or surplus, 2 where a grant is unknown, else 0."""
    states = {grant.state for grant in grants}
    if states & {GrantState.MISSING, GrantState.SURPLUS}:
        return ExitCode.BROKEN
    return ExitCode.UNKNOWN if GrantState.UNKNOWN in states else ExitCode.OK


_MAY_BE_NEEDED: Final = "it may serve a bound ServiceAccount whose workload is unknown"
_IAM_NEXT_STEP: Final = "deploy the stack with this version and configuration, and remove the policies that the stack does not own"
NO_PODS: Final = "the ServiceAccount has no pods, so its workload is unknown; run this command again when it has pods"


def read_grants(required: RequiredAccess, dependencies: Dependencies) -> Iterator[Grant]:
    """Return a grant for each role, object and admission policy, and for each ServiceAccount without a known workload.

    Other bindings of the groups and the policies of the roles yield a grant only where they are surplus or unknown.
    """
    if not required.roles:
        yield Grant(name="roles", state=GrantState.UNKNOWN, detail="no stack is deployed here, so its roles are unknown")
    for function, group in GROUPS.items():
        if function in required.roles:
            yield _entry_grant(required, required.roles[function], group, dependencies)
            yield from _access_policies(required, required.roles[function], dependencies)
    for manifest in required.objects:
        yield _object_grant(required, manifest, dependencies)
    if required.has_policies:
        yield from _policy_grants(required, dependencies)
    for name in required.without_workload:
        yield Grant(name=f"restart the workload of {name}", state=GrantState.UNKNOWN, detail=NO_PODS, is_manual=True)
    yield from _other_bindings(required, dependencies)
    for function, role_arn in required.roles.items():
        yield from _role_policies(function, role_arn, dependencies)


def _entry_grant(required: RequiredAccess, role_arn: str, group: str, dependencies: Dependencies) -> Grant:
    kind = "access entry" if required.has_access_entries else "aws-auth"
    name = f"{kind} {role_arn.rpartition('/')[2]}"
    try:
        if not required.has_access_entries:
            mapped = groups_of_role(dependencies.cluster_access.aws_auth(required.cluster) or "", role_arn)
            if group not in mapped:
                return Grant(name=name, state=GrantState.MISSING, detail=f"no line with the group {group}", is_manual=True)
            return _surplus_groups(name, mapped - {group}, "remove these groups from the role's item in mapRoles of kube-system/aws-auth")
        groups = dependencies.cluster_access.groups_of(required.cluster, role_arn)
    except RemediatorError as error:
        return Grant(name=name, state=GrantState.UNKNOWN, detail=str(error))
    if groups is None:
        return Grant(name=name, state=GrantState.MISSING, detail=f"no access entry for {role_arn}")
    if group not in groups:
        return Grant(name=name, state=GrantState.MISSING, detail=f"lacks the group {group}")
    options = f"--cluster-name {required.cluster} --principal-arn {role_arn} --kubernetes-groups {group}"
    command = aws_command("eks update-access-entry", required.region, options)
    return _surplus_groups(name, groups - {group}, command)


def _access_policies(required: RequiredAccess, role_arn: str, dependencies: Dependencies) -> Iterator[Grant]:
    """Return a grant for each access policy of the role's entry: RBAC grants everything that the functions need."""
    if not required.has_access_entries:
        return
    role = role_arn.rpartition("/")[2]
    try:
        policies = dependencies.cluster_access.policies_of(required.cluster, role_arn)
    except NotFound:
        return  # without an entry there are no policies
    except RemediatorError as error:
        yield Grant(name=f"access policies of {role}", state=GrantState.UNKNOWN, detail=str(error))
        return
    options = f"--cluster-name {required.cluster} --principal-arn {role_arn} --policy-arn"
    remove = aws_command("eks disassociate-access-policy", required.region, options)
    for policy in policies:
        detail = f"also grants {policy.rpartition('/')[2]}"
        name = f"access policy of {role}"
        yield Grant(name=name, state=GrantState.SURPLUS, detail=detail, next_step=f"{remove} {policy}", is_manual=True)


def _surplus_groups(name: str, others: frozenset[str], next_step: str) -> Grant:
    if not others:
        return Grant(name=name, state=GrantState.GRANTED)
    detail = f"also has the group {', '.join(sorted(others))}"
    return Grant(name=name, state=GrantState.SURPLUS, detail=detail, next_step=next_step, is_manual=True)


def _object_grant(required: RequiredAccess, manifest: Json, dependencies: Dependencies) -> Grant:
    cluster = required.cluster
    namespace = manifest["metadata"].get("namespace")
    name = f"{manifest['kind']} {namespace + '/' if namespace else ''}{manifest['metadata']['name']}"
    try:
        existing = dependencies.cluster_access.read(cluster, manifest)
    except RemediatorError as error:
        return Grant(name=name, state=GrantState.UNKNOWN, detail=str(error))
    differences = ["does not exist"] if existing is None else _differences(manifest, existing)
    surplus = _surplus(manifest, existing or {})
    if differences:
        return Grant(name=name, state=GrantState.MISSING, detail="; ".join((*differences, *surplus)))
    if not surplus:
        return Grant(name=name, state=GrantState.GRANTED)
    if namespace in required.namespaces_without_workload:
        return Grant(name=name, state=GrantState.UNKNOWN, detail=f"{'; '.join(surplus)}: {_MAY_BE_NEEDED}", is_manual=True)
    return Grant(name=name, state=GrantState.SURPLUS, detail="; ".join(surplus), next_step=_apply_command(cluster))


def _surplus(manifest: Json, existing: Mapping[str, Any]) -> list[str]:
    if "rules" in manifest:
        return surplus_rules(manifest["rules"], existing.get("rules") or ())
    return surplus_subjects(manifest["subjects"], existing.get("subjects") or ())


def _other_bindings(required: RequiredAccess, dependencies: Dependencies) -> Iterator[Grant]:
    """Return a grant for each binding of the groups that is none of the required objects."""
    own = {(item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in required.objects}
    try:
        found = dependencies.cluster_access.bindings_of(required.cluster, frozenset(GROUPS.values()))
    except RemediatorError as error:
        yield Grant(name="other bindings of the groups", state=GrantState.UNKNOWN, detail=str(error))
        return
    for binding in found:
        if (binding.kind, binding.namespace, binding.name) in own:
            continue
        detail = f"also grants {binding.role} to the group {binding.group}"
        name = f"{binding.kind} {binding.namespace + '/' if binding.namespace else ''}{binding.name}"
        if binding.namespace in required.namespaces_without_workload:
            yield Grant(name=name, state=GrantState.UNKNOWN, detail=f"{detail}: {_MAY_BE_NEEDED}", is_manual=True)
            continue
        yield Grant(name=name, state=GrantState.SURPLUS, detail=detail, next_step=_deletion(binding), is_manual=True)


def _deletion(binding: GroupBinding) -> str:
    """The command that deletes the binding. A name that is no DNS name, which RBAC allows, is put into no command."""
    if not all(KUBERNETES_NAME.match(name) for name in filter(None, (binding.namespace, binding.name))):
        return f"delete the {binding.kind} above whose name is no DNS name"
    return " ".join(("kubectl delete", binding.kind.lower(), binding.name, *(["-n", binding.namespace] if binding.namespace else [])))


def _role_policies(function: Function, role_arn: str, dependencies: Dependencies) -> Iterator[Grant]:
    """Return a grant for the IAM policies of a role where they allow more than the contract, or where they cannot be read."""
    name = f"IAM policies of {role_arn.rpartition('/')[2]}"
    try:
        problems = surplus_statements(function, dependencies.environment, dependencies.role_policies.documents(role_arn))
    except RemediatorError as error:
        yield Grant(name=name, state=GrantState.UNKNOWN, detail=str(error))
        return
    if problems:
        yield Grant(name=name, state=GrantState.SURPLUS, detail="; ".join(problems), next_step=_IAM_NEXT_STEP, is_manual=True)


def _policy_grants(required: RequiredAccess, dependencies: Dependencies) -> Iterator[Grant]:
    if required.policies.omitted:
        advice = "" if not required.policies.restarts else f". Do without the right to patch workloads: {without_patch(required.cluster)}"
        yield Grant(name="admission policies", state=GrantState.NOT_SUPPORTED, detail=required.policies.omitted + advice)
        return
    try:
        for policy in read_policies(required.cluster, required.policies, dependencies.cluster_access):
            yield _policy_grant(required, policy)
    except RemediatorError as error:
        yield Grant(name="admission policies", state=GrantState.UNKNOWN, detail=str(error))


def _policy_grant(required: RequiredAccess, policy: PolicyState) -> Grant:
    name = f"admission policy {policy.name}"
    surplus = [f"also allows {role} for {account}" for account, role in policy.surplus if account not in required.without_workload]
    if policy.problem:
        return Grant(name=name, state=GrantState.MISSING, detail="; ".join((policy.problem, *surplus)))
    if surplus:
        return Grant(name=name, state=GrantState.SURPLUS, detail="; ".join(surplus), next_step=_apply_command(required.cluster))
    return Grant(name=name, state=GrantState.GRANTED)


def _apply_command(cluster: str) -> str:
    return f"irsa-remediator access --cluster {cluster} --apply"


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
