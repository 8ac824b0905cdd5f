"""Which mechanism gives each ServiceAccount of a cluster its credentials, and what blocks EKS Pod Identity."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final

from cli.errors import ExitCode
from cli.output import progress
from cli.queries.targets import clusters, split_service_account
from lambdas.application.readers import read_optional
from lambdas.contract.parameters import Mechanism, ServiceAccountRef
from lambdas.contract.workloads import KNOWN, known
from lambdas.domain.diagnosis.links.pod_identity_agent import UNSUPPORTED
from lambdas.domain.diagnosis.pod_credentials import CredentialSource, credential_source
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.bindings import ROLE_ARN, bound_targets
from lambdas.domain.snapshot.node_reachability import nodes_without_agent
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Association,
    ClusterFacts,
    ComputeType,
    Missing,
    PodFacts,
    RoleFacts,
    Unknown,
)
from lambdas.domain.trust import AssociationIdentity, Refused, Undecided, WebIdentity, evaluate, evaluate_association

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cli.clients.dependencies import Dependencies
    from cli.queries.targets import TargetSelection

_PARALLEL_READS: Final = 8
MOST_NODES: Final = 3


class PodIdentityState(StrEnum):
    """Whether a ServiceAccount uses EKS Pod Identity, or could. `blocked` has obstacles, `unknown` has parts that were not read."""

    IN_USE = "in-use"
    READY = "ready"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class InstalledAddon:
    """An add-on record. `associable` are the ServiceAccounts for which this version takes associations."""

    facts: AddonFacts
    associable: frozenset[str] | Unknown


@dataclass(frozen=True, kw_only=True)
class ClusterParts:
    """What the ServiceAccounts of a cluster share. `agents` are the pods of the Pod Identity agent."""

    facts: ClusterFacts
    addons: Mapping[str, InstalledAddon]
    agents: tuple[PodFacts, ...] | Unknown
    compute_types: Mapping[str, ComputeType] | Unknown


@dataclass(frozen=True, kw_only=True)
class AccountFacts:
    """What was read about one ServiceAccount; None for what does not exist. `record` is the role of the add-on record."""

    target: ServiceAccountRef
    association: Association | Unknown | None
    annotation: str | Unknown | None
    record: str | None
    role: RoleFacts | Missing | Unknown | None
    pods: tuple[PodFacts, ...] | Unknown


@dataclass(frozen=True, kw_only=True)
class AccountMechanism:
    """The mechanism that gives new pods of a ServiceAccount their role; None where neither does, or where that was not read.

    `left_over` names what has no effect beside the association. `pods` are counts by the source that the SDKs use. `obstacles` prevent
    credentials by EKS Pod Identity. `unread` names what was not shown.
    """

    target: ServiceAccountRef
    mechanism: Mechanism | None
    is_mechanism_read: bool
    role_arn: str
    target_role_arn: str
    owner: str
    addon: str
    left_over: tuple[str, ...]
    pods: Mapping[CredentialSource, int]
    nodes: int
    nodes_with_agent: int | None
    obstacles: tuple[str, ...]
    unread: tuple[str, ...]

    @property
    def state(self) -> PodIdentityState:
        """Whether Pod Identity is in use, or could be."""
        if self.mechanism is Mechanism.POD_IDENTITY:
            return PodIdentityState.IN_USE
        if self.obstacles:
            return PodIdentityState.BLOCKED
        return PodIdentityState.UNKNOWN if self.unread else PodIdentityState.READY


@dataclass(frozen=True, kw_only=True)
class ClusterMechanisms:
    """The ServiceAccounts with credentials of one cluster. `problems` say what could not be read. `parts` is None without a login."""

    cluster: str
    parts: ClusterParts | None = None
    accounts: tuple[AccountMechanism, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """0, or 2 where something was not read."""
        return ExitCode.UNKNOWN if self.problems or any(account.unread for account in self.accounts) else ExitCode.OK


# --- reading -----------------------------------------------------------------------------------------------------------------------------


def read_mechanisms(selection: TargetSelection, dependencies: Dependencies) -> list[ClusterMechanisms]:
    """Return the mechanisms of each selected cluster, in their order."""
    with progress("listing clusters"):
        names = clusters(selection, dependencies)
    only = split_service_account(selection.service_account) if selection.service_account else None
    with progress(f"reading the ServiceAccounts of {pluralize(len(names), 'cluster')}"):
        return [_read_cluster(name, only, dependencies) for name in names]


def _read_cluster(name: str, only: tuple[str, str] | None, dependencies: Dependencies) -> ClusterMechanisms:
    readers, inventory = dependencies.readers, dependencies.identities
    facts = read_optional(lambda: readers.eks.cluster(name))
    if not isinstance(facts, ClusterFacts):
        return ClusterMechanisms(cluster=name, problems=(facts.reason if isinstance(facts, Unknown) else f"there is no {facts.what}",))
    login = read_optional(lambda: readers.clusters.login(facts))
    if isinstance(login, Unknown):
        return ClusterMechanisms(cluster=name, problems=(login.reason,))
    with ThreadPoolExecutor(_PARALLEL_READS) as pool:
        associated_read = pool.submit(read_optional, lambda: inventory.associated(name))
        annotated_read = pool.submit(read_optional, lambda: inventory.annotated(facts))
        parameters_read = pool.submit(read_optional, lambda: readers.parameters.load(name))
        agents, types = pool.submit(read_optional, login.agent_pods), pool.submit(read_optional, login.compute_types)
        installed = read_optional(lambda: inventory.addons(name))
        names = () if isinstance(installed, Unknown) else installed
        addons = [addon for addon in pool.map(lambda addon: _read_addon(name, addon, dependencies), names) if addon]
        associated, annotated, parameters = associated_read.result(), annotated_read.result(), parameters_read.result()
        parts = ClusterParts(
            facts=facts,
            addons={addon.facts.name: addon for addon in addons if isinstance(addon, InstalledAddon)},
            agents=agents.result(),
            compute_types=types.result(),
        )
        found = set() if isinstance(associated, Unknown) else set(associated)
        found |= set() if isinstance(annotated, Unknown) else set(annotated)
        found |= set() if isinstance(parameters, Unknown) else {(ref.namespace, ref.name) for ref in bound_targets(parameters, [name])}
        found |= {(item.namespace, item.service_account) for item in KNOWN if item.addon and _record_role(parts, item.addon)}
        selected = sorted(account for account in found if only in (None, account))
        read = partial(_read_account, parts, associated, annotated, dependencies)
        accounts = pool.map(read, selected)
        unread = (associated, annotated, parameters, installed, *addons, parts.agents, parts.compute_types)
        return ClusterMechanisms(
            cluster=name,
            parts=parts,
            accounts=tuple(assess_account(account, parts) for account in accounts),
            problems=tuple(dict.fromkeys(part.reason for part in unread if isinstance(part, Unknown))),
        )


def _read_addon(cluster: str, name: str, dependencies: Dependencies) -> InstalledAddon | Unknown | None:
    """The add-on with what it takes associations for; None where it was removed meanwhile."""
    facts = read_optional(lambda: dependencies.readers.eks.addon(cluster, name))
    if not isinstance(facts, AddonFacts):
        return facts if isinstance(facts, Unknown) else None
    return InstalledAddon(facts=facts, associable=read_optional(lambda: dependencies.identities.associable(name, facts.version)))


def _record_role(parts: ClusterParts, addon: str) -> str | None:
    return parts.addons[addon].facts.role_arn if addon in parts.addons else None


def _read_account(
    parts: ClusterParts,
    associated: frozenset[tuple[str, str]] | Unknown,
    annotated: Mapping[tuple[str, str], str] | Unknown,
    dependencies: Dependencies,
    account: tuple[str, str],
) -> AccountFacts:
    readers, target = dependencies.readers, ServiceAccountRef(parts.facts.name, *account)
    association: Association | Unknown | None = associated if isinstance(associated, Unknown) else None
    if not isinstance(associated, Unknown) and account in associated:
        read = read_optional(lambda: readers.eks.associations(target))
        association = read if isinstance(read, Unknown) else next(iter(read), None)
    annotation = annotated if isinstance(annotated, Unknown) else annotated.get(account)
    workload = known(*account)
    record = _record_role(parts, workload.addon) if workload and workload.addon else None
    arn = _role_of(association, annotation, record)
    is_own = bool(arn) and role_account(arn) == readers.account
    return AccountFacts(
        target=target,
        association=association,
        annotation=annotation,
        record=record,
        role=read_optional(lambda: readers.iam.role(arn)) if is_own else None,
        pods=read_optional(lambda: readers.clusters.login(parts.facts).pods(*account)),
    )


def _role_of(association: Association | Unknown | None, annotation: str | Unknown | None, record: str | None) -> str:
    """The role in force, or the one that the add-on record would set; empty where there is none, or where that was not read."""
    if isinstance(association, Association):
        return association.role_arn
    if isinstance(association, Unknown) or isinstance(annotation, Unknown):
        return ""
    return annotation or record or ""


def role_account(arn: str) -> str:
    """The account of a role; empty where the text is no ARN of a role."""
    found = ROLE_ARN.match(arn)
    return found["account"] if found else ""


# --- assessment --------------------------------------------------------------------------------------------------------------------------


def assess_account(account: AccountFacts, parts: ClusterParts) -> AccountMechanism:
    """Return the mechanism in force, and what prevents credentials by Pod Identity. Pure."""
    found, workload = account.association, known(account.target.namespace, account.target.name)
    is_associated = isinstance(found, Association)
    is_read = is_associated or not (isinstance(found, Unknown) or isinstance(account.annotation, Unknown))
    by_annotation = Mechanism.IRSA if is_read and account.annotation else None
    reasons = [
        *_role_reasons(account, parts),
        *_agent_reasons(account, parts),
        *_addon_reasons(account, parts),
        *_pod_reasons(account, parts),
    ]
    unread = [part.reason for part in (found, account.annotation, account.pods) if isinstance(part, Unknown)]
    pods = [] if isinstance(account.pods, Unknown) else [pod for pod in account.pods if not pod.deleting]
    nodes = {pod.node for pod in pods if pod.node}
    return AccountMechanism(
        target=account.target,
        mechanism=Mechanism.POD_IDENTITY if is_associated else by_annotation,
        is_mechanism_read=is_read,
        role_arn=_role_of(found, account.annotation, account.record),
        target_role_arn=(found.target_role_arn or "") if isinstance(found, Association) else "",
        owner=found.owner_addon if isinstance(found, Association) else "",
        addon=(workload.addon or "") if workload else "",
        left_over=_left_over(account) if is_associated else (),
        pods=dict(Counter(sorted(map(credential_source, pods), key=list(CredentialSource).index))),
        nodes=len(nodes),
        nodes_with_agent=None if isinstance(parts.agents, Unknown) else len(nodes) - len(_without_agent(pods, parts)),
        obstacles=tuple(reason for reason in reasons if isinstance(reason, str)),
        unread=tuple(dict.fromkeys((*unread, *(reason.reason for reason in reasons if isinstance(reason, Unknown))))),
    )


def _left_over(account: AccountFacts) -> tuple[str, ...]:
    annotation = (f"annotation {account.annotation}",) if isinstance(account.annotation, str) else ()
    return (*annotation, *((f"role of the add-on record {account.record}",) if account.record else ()))


def _role_reasons(account: AccountFacts, parts: ClusterParts) -> Iterator[str | Unknown]:
    """The role is of the cluster's account, exists, and trusts Pod Identity. A role of another account is reached by a target role.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-assign-target-role.html
    """
    arn, found = _role_of(account.association, account.annotation, account.record), account.association
    own = parts.facts.arn.split(":")[4]
    if not arn and not isinstance(found, Unknown) and not isinstance(account.annotation, Unknown):
        yield "neither an association, an annotation nor an add-on record names a role"
    elif arn and not role_account(arn):
        yield f"{arn} is not the ARN of a role"
    elif arn and role_account(arn) != own:
        yield f"the role is of account {role_account(arn)}: an association needs a role of account {own}, which may have it as target role"
    match account.role:
        case Missing():
            yield f"the role does not exist: {arn}"
        case Unknown() as unread:
            yield unread
        case RoleFacts(trust=trust):
            identity = AssociationIdentity(
                cluster_arn=parts.facts.arn,
                namespace=account.target.namespace,
                service_account=account.target.name,
                association_arn=found.arn if isinstance(found, Association) else "",
                has_session_tags=not isinstance(found, Association) or found.has_session_tags,
            )
            match evaluate_association(trust, identity):
                case Refused(reason=reason):
                    yield f"trust policy: {reason}"
                case Undecided(reason=reason):
                    yield Unknown(f"trust policy: {reason}")


def _without_agent(pods: Sequence[PodFacts], parts: ClusterParts) -> list[PodFacts]:
    """One pod for each node without a ready agent, neither as a pod nor built in."""
    agents = () if isinstance(parts.agents, Unknown) else parts.agents
    types = {} if isinstance(parts.compute_types, Unknown) else parts.compute_types
    return [pod for pod in nodes_without_agent(pods, agents) if types.get(pod.node) is not ComputeType.AUTO]


def _agent_reasons(account: AccountFacts, parts: ClusterParts) -> Iterator[str | Unknown]:
    for part in (parts.agents, parts.compute_types):
        if isinstance(part, Unknown):
            yield part
    if isinstance(parts.agents, Unknown) or isinstance(parts.compute_types, Unknown):
        return
    pods = [] if isinstance(account.pods, Unknown) else [pod for pod in account.pods if not pod.deleting]
    missing = _without_agent(pods, parts)
    for compute_type, name in UNSUPPORTED.items():
        if there := [pod for pod in missing if parts.compute_types.get(pod.node) is compute_type]:
            yield f"pods on {name} nodes, where Pod Identity does not work: {_listed(there)}"
    lacking = [pod for pod in missing if parts.compute_types.get(pod.node) not in UNSUPPORTED]
    if not parts.agents and (lacking or not (pods or parts.facts.auto_mode)):
        yield "the Pod Identity agent has no pod"
    elif lacking:
        yield f"the Pod Identity agent is not ready on {pluralize(len(lacking), 'node')} of the pods: {_listed(lacking)}"


def _addon_reasons(account: AccountFacts, parts: ClusterParts) -> Iterator[str | Unknown]:
    workload = known(account.target.namespace, account.target.name)
    addon = parts.addons.get(workload.addon or "") if workload else None
    if addon is None:
        return
    if isinstance(addon.associable, Unknown):
        yield addon.associable
    elif account.target.name not in addon.associable:
        yield f"add-on {addon.facts.name} {addon.facts.version} takes no association for {account.target.name}"


def _pod_reasons(account: AccountFacts, parts: ClusterParts) -> Iterator[str]:
    pods = () if isinstance(account.pods, Unknown) else account.pods
    if keys := sum(pod.has_static_keys for pod in pods):
        yield f"{pluralize(keys, 'pod has', 'pods have')} access keys, which SDKs use before any role"
    both = sum(pod.container_credentials and credential_source(pod) is CredentialSource.WEB_IDENTITY for pod in pods)
    if both:
        yield f"{pluralize(both, 'pod has', 'pods have')} web identity from the pod template, which SDKs use before the association"
    if older := _without_trust(account, parts):
        yield f"{pluralize(older, 'pod uses', 'pods use')} IRSA, which the trust policy no longer lets in: replace them"


def _without_trust(account: AccountFacts, parts: ClusterParts) -> int:
    """The pods that still use IRSA beside an association whose role refuses their tokens."""
    found, role, provider = account.association, account.role, parts.facts.provider_arn
    if not isinstance(found, Association) or not isinstance(role, RoleFacts) or isinstance(account.pods, Unknown) or provider is None:
        return 0
    if not isinstance(evaluate(role.trust, WebIdentity(provider_arn=provider, subject=account.target.subject)), Refused):
        return 0
    return sum(
        pod.role_arn == found.role_arn and not pod.container_credentials and credential_source(pod) is CredentialSource.WEB_IDENTITY
        for pod in account.pods
    )


def _listed(pods: Sequence[PodFacts]) -> str:
    names = [pod.node for pod in pods]
    return ", ".join(names[:MOST_NODES]) + (f" and {len(names) - MOST_NODES} more" if len(names) > MOST_NODES else "")
