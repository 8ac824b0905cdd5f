"""Admission policies that limit the functions in a cluster: which are required, which are installed, and how they are applied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from cli.errors import CommandError
from lambdas.contract import admission
from lambdas.contract.names import ADMISSION_API
from lambdas.domain.errors import AccessDenied, RemediatorError
from lambdas.domain.snapshot.bindings import ROLE_ARN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cli.clients.ports import ClusterAccess
    from lambdas.contract.access import BoundWorkload

Json = dict[str, Any]

FOREIGN: Final = "an object of this name exists that eks-irsa-remediator does not manage"
DIFFERS: Final = "differs from what bindings and version need; if --apply does not change that, delete it first"
"""Fields that another manager adds stay with it, for example an excluded resource."""
_RESOURCE: Final = "validatingadmissionpolicies"


@dataclass(frozen=True, kw_only=True)
class RequiredPolicies:
    """The policies that a cluster needs.

    `bound` are the roles that the bindings name, by workload. `current` are the roles that are set now: a
    policy that is applied allows them too, so that a rollback is not refused. `omitted` says why there are no policies; empty where
    there are. `restarts`: the remediator may restart workloads.
    """

    bound: Mapping[BoundWorkload, Sequence[str]] = field(default_factory=dict)
    current: Mapping[BoundWorkload, str] = field(default_factory=dict)
    omitted: str = ""
    restarts: bool = True

    @property
    def manifests(self) -> list[Json]:
        """The policies and their bindings, ready to apply."""
        if self.omitted:
            return []
        roles = {workload: [*roles, *filter(None, [self.current.get(workload)])] for workload, roles in self.bound.items()}
        return admission.limit_policies(roles, restarts=self.restarts)


def reason_to_omit(cluster: str, version: str, access: ClusterAccess) -> str:
    """Return why the cluster cannot have the policies. Empty where it can, and where its API server did not answer."""
    needed = ".".join(map(str, admission.MINIMUM_VERSION))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers < admission.MINIMUM_VERSION:
        return f"Kubernetes {version} has no ValidatingAdmissionPolicy; {needed} is the first version that has it"
    try:
        is_served = access.serves(cluster, ADMISSION_API, _RESOURCE)
    except RemediatorError:
        return ""
    return "" if is_served else f"the API server does not serve {_RESOURCE} of {ADMISSION_API}"


def without_patch(cluster: str) -> str:
    """Return the command that does without the right to patch workloads, for clusters without admission policies."""
    return f"irsa-remediator settings set {cluster} restart_by deletion"


def is_role(value: str | None) -> bool:
    """Return whether the value of an annotation is a role that a policy may allow."""
    return bool(value and ROLE_ARN.match(value))


@dataclass(frozen=True, kw_only=True)
class PolicyState:
    """One policy with its binding in a cluster. `problem` is empty where both are installed as required.

    `exists`: the cluster has the policy or its binding. `surplus` are ServiceAccounts (`namespace/name`) and roles that the policy allows
    and that are neither bound nor set now.
    """

    name: str
    problem: str = ""
    exists: bool = True
    surplus: tuple[tuple[str, str], ...] = ()


def read_policies(cluster: str, required: RequiredPolicies, access: ClusterAccess) -> Iterator[PolicyState]:
    """Return the state of each required policy.

    Raises:
        RemediatorError: the policies cannot be read.
    """
    if required.omitted:
        return
    names = admission.policy_names([kind for kind in _kinds(required) if required.restarts])
    manifests = {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in required.manifests}
    accounts = access.read(cluster, manifests["ValidatingAdmissionPolicy", names[0]])
    declared = admission.allowed_roles(accounts) if accounts else {}
    lacking = {
        admission.account(workload): sorted(set(roles) - set(declared.get(admission.account(workload), ())))
        for workload, roles in required.bound.items()
    }
    installed_roles = {workload: declared.get(admission.account(workload), []) for workload in required.bound}
    expected = {
        (item["kind"], item["metadata"]["name"]): item for item in admission.limit_policies(installed_roles, restarts=required.restarts)
    }
    for name in names:
        objects = [(item, access.read(cluster, item)) for (_, other), item in expected.items() if other == name]
        problem = next(filter(None, (_problem(item, found) for item, found in objects)), "")
        exists = any(found is not None for _, found in objects)
        if name != names[0]:
            yield PolicyState(name=name, problem=problem, exists=exists)
            continue
        stale = [f"{role} for {account}" for account, roles in lacking.items() for role in roles]
        out_of_date = f"the list of roles is out of date: it lacks {', '.join(stale)}" if stale else ""
        is_there = all(found is not None and admission.is_managed(found) for _, found in objects)
        yield PolicyState(
            name=name, problem=out_of_date if out_of_date and is_there else problem, exists=exists, surplus=_surplus(required, declared)
        )


def _kinds(required: RequiredPolicies) -> list[Any]:
    from lambdas.contract.workloads import WorkloadKind

    return [kind for kind in WorkloadKind if any(workload.kind is kind for workload in required.bound)]


def _problem(manifest: Json, installed: Mapping[str, Any] | None) -> str:
    if installed is None:
        return "does not exist" if manifest["kind"] == "ValidatingAdmissionPolicy" else "has no binding, so it has no effect"
    if not admission.is_managed(installed):
        return FOREIGN
    return "" if admission.is_installed(manifest, installed) else DIFFERS


def _surplus(required: RequiredPolicies, declared: Mapping[str, Sequence[str]]) -> tuple[tuple[str, str], ...]:
    needed = {(admission.account(workload), role) for workload, roles in required.bound.items() for role in roles}
    needed |= {(admission.account(workload), role) for workload, role in required.current.items()}
    return tuple(sorted({(account, role) for account, roles in declared.items() for role in roles} - needed))


@dataclass(frozen=True)
class PolicyCommand:
    """The command that applies policies, as errors name it, and what to do without them."""

    text: str
    alternative: str


def apply_policies(cluster: str, manifests: Sequence[Json], access: ClusterAccess, command: PolicyCommand | None = None) -> None:
    """Apply all policies and bindings, or leave everything as it was.

    Without `command` they are the policies of `access`.

    Raises:
        CommandError: an object of the same name belongs to another owner, or objects could not be removed after a failure.
        RemediatorError: an object could not be read or applied.
    """
    command = command or PolicyCommand(_access_command(cluster), "do without the policies: --no-policies")
    former = [access.read(cluster, manifest) for manifest in manifests]
    for manifest, found in zip(manifests, former, strict=True):
        if found is not None and not admission.is_managed(found):
            label = f"{manifest['kind']} {manifest['metadata']['name']}"
            raise CommandError(
                f"{label} in cluster {cluster} belongs to another owner: nothing was applied",
                next_step=f"find out who created it, delete it, and run the command again; or {command.alternative}",
            )
    pairs = sorted(zip(manifests, former, strict=True), key=lambda pair: pair[0]["kind"])  # a policy precedes its binding
    for number, (manifest, _) in enumerate(pairs):
        try:
            access.apply(cluster, manifest)
        except BaseException as error:
            # A refused object was not written. Any other error may hide a write.
            count = number if isinstance(error, AccessDenied) else number + 1
            restore_policies(cluster, pairs[:count], access, command.text)
            raise


def restore_policies(
    cluster: str, pairs: Sequence[tuple[Json, Mapping[str, Any] | None]], access: ClusterAccess, command: str = ""
) -> None:
    """Put each object back as it was before: the second of a pair, or its absence. `command` as in `PolicyCommand.text`.

    Raises:
        CommandError: names the objects that could not be restored.
    """
    remaining = []
    for manifest, former in reversed(pairs):
        try:
            if former is None:
                access.delete(cluster, manifest)
            else:
                access.apply(cluster, _without_status(former, manifest))
        except RemediatorError:
            remaining.append(f"{manifest['kind']} {manifest['metadata']['name']}")
    if remaining:
        raise CommandError(
            f"these admission policies could not be restored: {', '.join(remaining)}",
            next_step=f"run `{command or _access_command(cluster)}` again",
        )


def _access_command(cluster: str) -> str:
    return f"irsa-remediator access --cluster {cluster} --apply"


def _without_status(former: Mapping[str, Any], manifest: Json) -> Json:
    metadata = {key: former["metadata"][key] for key in ("name", "labels", "annotations") if former["metadata"].get(key)}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata, "spec": former["spec"]}
