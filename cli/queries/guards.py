"""The guard and the warning of bound ServiceAccounts in a cluster: what is installed, and how it is applied, removed and proved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from cli.errors import CommandError, ExitCode
from cli.queries.admission_policies import PolicyCommand, apply_policies
from cli.queries.targets import TargetSelection, clusters, split_service_account
from lambdas.contract import guard
from lambdas.contract.names import ADMISSION_API, LEFT_OUT_BY, ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.policy_kinds import PolicyKind, policy_name
from lambdas.domain.errors import AccessDenied, Denial, NotFound, RemediatorError
from lambdas.domain.snapshot.bindings import bound_targets, wants_association
from lambdas.domain.snapshot.guard import GuardState, compare, installed_policy
from lambdas.domain.snapshot.snapshot import Binding, ClusterFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.clients.dependencies import Dependencies
    from cli.clients.ports import ClusterAccess

Json = dict[str, Any]

PROOF_MANAGER: Final = "eks-irsa-remediator-guard-proof"
"""The field manager of the attempt to remove the role, which the guard must not take for a write of the remediator."""
_ATTEMPTS: Final = 10
_PAUSE_S: Final = 0.5
"""A policy takes effect about a second after its creation: measured on kube-apiserver v1.36.3."""


class Proof(StrEnum):
    """Whether the API server kept the role when its removal was tried without being stored."""

    KEPT = "kept"
    REMOVED = "removed"
    NOT_KNOWN = "not-known"


@dataclass(frozen=True, kw_only=True)
class Guarded:
    """A bound ServiceAccount with its binding."""

    target: ServiceAccountRef
    binding: Binding

    @property
    def account(self) -> str:
        """The ServiceAccount as `namespace/name`."""
        return f"{self.target.namespace}/{self.target.name}"

    def manifests(self, kind: PolicyKind) -> list[Json]:
        """The policy of this kind and its binding."""
        return guard.manifests(kind, self.target.namespace, self.target.name, self.binding.role_arn, self.binding.path)


@dataclass(frozen=True, kw_only=True)
class GuardStatus:
    """One policy of one ServiceAccount. `detail` is the reason of the state, `proof` the result of an attempt to remove the role."""

    kind: PolicyKind
    account: str
    state: GuardState
    role_arn: str = ""
    detail: str = ""
    next_step: str = ""
    proof: Proof | None = None
    left_out_by: str = ""
    is_removed: bool = False

    @property
    def document(self) -> Json:
        """The status as JSON."""
        return {
            "policy": self.kind,
            "serviceAccount": self.account,
            "state": self.state,
            "role": self.role_arn or None,
            "detail": self.detail or None,
            "nextStep": self.next_step or None,
            "proof": self.proof,
            "leftOutBy": self.left_out_by or None,
        }


@dataclass(frozen=True, kw_only=True)
class GuardScope:
    """The cluster, the bound ServiceAccounts that can have a guard, and why others cannot: `namespace/name` -> reason.

    `service_account` is the only one that the caller selected; empty for all.
    """

    cluster: str
    version: str
    guarded: tuple[Guarded, ...]
    excluded: dict[str, str]
    service_account: str = ""

    def selects(self, account: str) -> bool:
        """Whether the caller selected this ServiceAccount."""
        return self.service_account in ("", account)


def guard_scope(cluster: str, service_account: str, dependencies: Dependencies) -> GuardScope:
    """Return the bound ServiceAccounts of one cluster, or the one that is named.

    Raises:
        CommandError: the cluster does not exist.
    """
    name = clusters(TargetSelection(clusters=(cluster,) if cluster else ()), dependencies)[0]
    facts = dependencies.readers.eks.cluster(name)
    if not isinstance(facts, ClusterFacts):
        raise CommandError(f"there is no {facts.what}", next_step="list the clusters with `aws eks list-clusters`; check --region")
    parameters = dependencies.readers.parameters.load(name)
    targets = bound_targets(parameters, [name])
    if service_account:
        target = ServiceAccountRef(name, *split_service_account(service_account))
        targets = (target,) if target in targets else ()
    guarded, excluded = [], {}
    for target in targets:
        found = dependencies.readers.binding(parameters, target)
        account = f"{target.namespace}/{target.name}"
        if not isinstance(found, Binding):
            excluded[account] = getattr(found, "reason", "") or "it has no binding"
        elif wants_association(found):
            excluded[account] = "its binding names Pod Identity, which needs no annotation"
        elif any(len(policy_name(kind, target.namespace, target.name)) > guard.LONGEST_NAME for kind in PolicyKind):
            excluded[account] = f"its name is too long for the name of a policy ({guard.LONGEST_NAME} characters)"
        else:
            guarded.append(Guarded(target=target, binding=found))
    return GuardScope(cluster=name, version=facts.version, guarded=tuple(guarded), excluded=excluded, service_account=service_account)


def not_served(scope: GuardScope, kind: PolicyKind, access: ClusterAccess) -> str:
    """Return why the cluster cannot have policies of this kind; empty where its API server serves them.

    Raises:
        RemediatorError: the API server did not answer.
    """
    if access.serves(scope.cluster, ADMISSION_API, kind.resource):
        return ""
    needed = ".".join(map(str, kind.minimum_version))
    return f"Kubernetes {scope.version} does not serve {kind.resource} of {ADMISSION_API}; {needed} is the first version that does"


def read_guards(scope: GuardScope, dependencies: Dependencies) -> Iterator[GuardStatus]:
    """Return the status of each policy: of each bound ServiceAccount, and of installed policies without a binding."""
    for kind in PolicyKind:
        try:
            yield from _read_kind(scope, kind, dependencies)
        except RemediatorError as error:
            for item in scope.guarded:
                yield GuardStatus(kind=kind, account=item.account, state=GuardState.UNKNOWN, detail=str(error))


def _read_kind(scope: GuardScope, kind: PolicyKind, dependencies: Dependencies) -> Iterator[GuardStatus]:
    access = dependencies.cluster_access
    if reason := not_served(scope, kind, access):
        for item in scope.guarded:
            yield GuardStatus(kind=kind, account=item.account, state=GuardState.NOT_SERVED, detail=reason)
        return
    for item in scope.guarded:
        yield _status(kind, item, access)
    bound = {item.account for item in scope.guarded}
    for policy in _installed(scope.cluster, kind, access):
        account = guard.declared_account(policy)
        if account not in bound and scope.selects(account):
            yield GuardStatus(
                kind=kind,
                account=account,
                state=GuardState.UNBOUND,
                role_arn=guard.declared_role(policy),
                detail=scope.excluded.get(account, "it has no binding"),
                next_step=f"irsa-remediator guard remove --cluster {scope.cluster} --service-account {account}",
            )


def _installed(cluster: str, kind: PolicyKind, access: ClusterAccess) -> Iterator[Json]:
    """The installed policies of this kind. Other policies of the product declare no ServiceAccount."""
    for policy in access.managed_policies(cluster, kind.policy):
        namespace, _, name = guard.declared_account(policy).partition("/")
        if name and policy["metadata"]["name"] == policy_name(kind, namespace, name):
            yield dict(policy)


def _status(kind: PolicyKind, item: Guarded, access: ClusterAccess) -> GuardStatus:
    cluster, account = item.target.cluster, (item.target.namespace, item.target.name)
    policy, policy_binding = (access.read(cluster, manifest) for manifest in item.manifests(kind))
    found = compare(kind, account, item.binding, installed_policy(kind, policy, policy_binding))
    steps = {
        GuardState.FOREIGN: "find out who created it and delete it",
        **dict.fromkeys(OUTDATED, f"irsa-remediator guard apply --cluster {cluster} --service-account {item.account}"),
    }
    return GuardStatus(
        kind=kind,
        account=item.account,
        state=found.state,
        role_arn=(guard.declared_role(policy) if policy and found.state is GuardState.STALE else "") or item.binding.role_arn,
        detail=found.detail,
        next_step=steps.get(found.state, ""),
    )


OUTDATED: Final = frozenset({GuardState.STALE, GuardState.DIFFERS})
"""States of a policy that `guard apply` corrects."""


def apply_guards(scope: GuardScope, kinds: Sequence[PolicyKind], dependencies: Dependencies) -> None:
    """Install the policies of these kinds for each ServiceAccount of the scope, all or none.

    Raises:
        CommandError: the API server does not serve them, a policy of this name belongs to another owner, or the caller may not write them.
    """
    access, cluster = dependencies.cluster_access, scope.cluster
    for kind in kinds:
        if reason := not_served(scope, kind, access):
            is_warning_served = kind is PolicyKind.GUARD and not not_served(scope, PolicyKind.WARNING, access)
            raise CommandError(
                f"cluster {cluster}: {reason}. Nothing was installed",
                next_step=(
                    f"install the warning alone: irsa-remediator guard apply --cluster {cluster} --warn-only"
                    if is_warning_served
                    else f"upgrade the cluster; until then, claim the annotation: irsa-remediator settings set {cluster} claim always"
                ),
            )
    manifests = [manifest for item in scope.guarded for kind in kinds for manifest in item.manifests(kind)]
    command = PolicyCommand(f"irsa-remediator guard apply --cluster {cluster}", "leave the ServiceAccount out with --service-account")
    try:
        apply_policies(cluster, manifests, access, command)
    except AccessDenied as error:
        raise _without_rights(cluster, error, "nothing was installed") from error


def _without_rights(cluster: str, error: AccessDenied, result: str) -> RemediatorError:
    if error.denial is not Denial.FORBIDDEN:
        return error
    reason = str(error).partition("; ")[0]
    return CommandError(
        f"cluster {cluster} does not let you write admission policies, so {result}: {reason}",
        next_step=(
            "use credentials that may get, list, create, patch and delete the policies and bindings of admissionregistration.k8s.io, "
            "such as a cluster administrator's, with --profile, --role-arn or --kubeconfig"
        ),
    )


def remove_guards(scope: GuardScope, dependencies: Dependencies, *, unbound_only: bool = False) -> list[GuardStatus]:
    """Delete the guards and warnings of the selected ServiceAccounts, or only those without a binding, and return what was deleted.

    A binding precedes its policy, so that no policy remains in force in part. Policies of other owners stay.

    Raises:
        CommandError: the caller may not delete them.
    """
    access, removed = dependencies.cluster_access, []
    bound = {*(item.account for item in scope.guarded), *scope.excluded}
    for kind in PolicyKind:
        if not_served(scope, kind, access):
            continue
        bindings = {item["metadata"]["name"] for item in access.managed_policies(scope.cluster, kind.policy_binding)}
        for policy in _installed(scope.cluster, kind, access):
            account = guard.declared_account(policy)
            if not scope.selects(account) or (unbound_only and account in bound):
                continue
            name = {"metadata": {"name": policy["metadata"]["name"]}, "apiVersion": ADMISSION_API}
            doomed = [kind.policy_binding] if policy["metadata"]["name"] in bindings else []
            try:
                for object_kind in (*doomed, kind.policy):
                    access.delete(scope.cluster, {**name, "kind": object_kind})
            except AccessDenied as error:
                raise _without_rights(scope.cluster, error, f"the {kind} of {account} was not removed") from error
            removed.append(
                GuardStatus(kind=kind, account=account, state=GuardState.ABSENT, role_arn=guard.declared_role(policy), is_removed=True)
            )
    return removed


def prove(status: GuardStatus, scope: GuardScope, dependencies: Dependencies, *, wait: bool) -> GuardStatus:
    """Return the status of an installed guard with a proof: a removal of the role that the API server admits and does not store.

    With `wait`, a policy that was just installed has some seconds to take effect.
    """
    if status.kind is not PolicyKind.GUARD or status.state is not GuardState.INSTALLED:
        return status
    namespace, _, name = status.account.partition("/")
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
    access = dependencies.cluster_access
    for attempt in range(_ATTEMPTS if wait else 1):
        if attempt:
            dependencies.sleep(_PAUSE_S)
        try:
            stored = access.read(scope.cluster, manifest)
            before = _annotations(stored).get(ROLE_ANNOTATION) if stored else None
            if before != status.role_arn:
                found = "the ServiceAccount does not exist yet" if stored is None else f"the ServiceAccount has {before or 'no role'}"
                return replace(status, proof=Proof.NOT_KNOWN, detail=f"{found}, so its removal cannot be tried")
            after = _annotations(access.preview_removal(scope.cluster, manifest, ROLE_ANNOTATION, PROOF_MANAGER)).get(ROLE_ANNOTATION)
        except NotFound:
            return replace(status, proof=Proof.NOT_KNOWN, detail="the ServiceAccount was deleted meanwhile")
        except RemediatorError as error:
            return replace(status, proof=Proof.NOT_KNOWN, detail=str(error))
        if after == status.role_arn:
            return replace(status, proof=Proof.KEPT, left_out_by=_annotations(stored).get(LEFT_OUT_BY, ""))
    return replace(
        status,
        proof=Proof.REMOVED,
        detail="it is installed, and the API server does not apply it",
        next_step="see the warnings of the API server: kubectl get mutatingadmissionpolicy -o yaml",
    )


def _annotations(item: Any) -> dict[str, str]:
    return dict((item or {}).get("metadata", {}).get("annotations") or {})


def exit_code(statuses: Sequence[GuardStatus]) -> ExitCode:
    """Return 1 where a policy does not do what it is installed for, 2 where that is not known. A policy that is absent is no fault."""
    states = {status.state for status in statuses}
    if states & _WRONG or any(status.proof is Proof.REMOVED for status in statuses):
        return ExitCode.BROKEN
    return ExitCode.UNKNOWN if GuardState.UNKNOWN in states else ExitCode.OK


_WRONG: Final = OUTDATED | {GuardState.FOREIGN, GuardState.UNBOUND}
