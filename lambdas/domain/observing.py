"""Observe: read what the identity of one ServiceAccount hangs on, in parallel. A part that cannot be read is Unknown, never a guess."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeGuard, TypeVar

from lambdas.contract.names import POD_IDENTITY_AGENT_ADDON
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.settings import read_settings
from lambdas.contract.workloads import known
from lambdas.domain.binding import binding_for
from lambdas.domain.errors import AccessDenied, Denial, PermanentError, TransientError
from lambdas.domain.observation import (
    NOT_READ,
    AddonFacts,
    Association,
    Binding,
    ClusterFacts,
    InvalidBinding,
    Missing,
    NotRead,
    Observation,
    OidcProvider,
    PodFacts,
    RoleFacts,
    ServiceAccountFacts,
    Unknown,
    WorkloadFacts,
)
from lambdas.domain.permissions import needed_calls
from lambdas.domain.ports import ClusterPort, ClustersPort, EksPort, IamPort, ParametersPort
from lambdas.domain.request import Actor

T = TypeVar("T")
_READERS: Final = 8
"""Parallel reads: as many as one check has at a time."""


@dataclass(frozen=True, kw_only=True)
class Readers:
    """What an observation is read through, and where we are. `passable_roles` as in `Observation`."""

    parameters: ParametersPort
    eks: EksPort
    iam: IamPort
    clusters: ClustersPort
    account: str
    region: str
    partition: str
    may_simulate: bool
    passable_roles: tuple[str, ...] = ("*",)


@dataclass(frozen=True, kw_only=True)
class Hints:
    """What is known before reading: when the last check found all well, and who did what as far as the event tells."""

    known_good_at: datetime | None = None
    actor: Actor | None = None


_NO_HINTS: Final = Hints()


@dataclass(frozen=True, kw_only=True)
class _InCluster:
    service_account: ServiceAccountFacts | Missing | Unknown
    workload: WorkloadFacts | Missing | Unknown
    pods: tuple[PodFacts, ...] | Unknown


def read(target: ServiceAccountRef, readers: Readers, began_at: datetime, hints: Hints = _NO_HINTS) -> Observation:
    """Everything but the symptoms: three Kubernetes requests plus pages.

    Raises:
        TransientError: something essential was throttled or did not answer; the same read may succeed later.
    """
    parameters = readers.parameters.load(target.cluster)
    settings, wrong = read_settings({path: it.value for path, it in parameters.items()}, target.cluster)
    binding = binding_for(parameters, target, account=readers.account, partition=readers.partition, region=readers.region)
    workload = known(target.namespace, target.name)
    addon_name = workload.addon if workload else None
    with ThreadPoolExecutor(_READERS) as pool:
        cluster = pool.submit(_part, lambda: readers.eks.cluster(target.cluster))
        addon = pool.submit(_part, lambda: readers.eks.addon(target.cluster, addon_name)) if addon_name else None
        associations = pool.submit(_part, lambda: readers.eks.associations(target))
        facts = cluster.result()
        inside = pool.submit(_in_cluster, target, readers.clusters, facts, pool)
        mechanism = associations.result()
        record = addon.result() if addon else NOT_READ
        role, provider, simulated = _guards(target, readers, pool, binding=binding, cluster=facts, addon=record, associations=mechanism)
        agent = pool.submit(_agent, readers.eks, target.cluster, mechanism)
        seen = inside.result()
        return Observation(
            target=target,
            began_at=began_at,
            account=readers.account,
            partition=readers.partition,
            passable_roles=readers.passable_roles,
            binding=binding,
            settings=settings,
            wrong_settings=wrong,
            cluster=facts,
            addon_name=addon_name,
            addon=record,
            associations=() if isinstance(mechanism, Missing) else mechanism,
            agent_installed=agent.result(),
            role=role.result(),
            oidc_provider=provider.result(),
            simulated=simulated.result(),
            service_account=seen.service_account,
            workload=seen.workload,
            pods=seen.pods,
            known_good_at=hints.known_good_at,
            actor=hints.actor,
        )


def read_symptoms(seen: Observation, readers: Readers) -> Observation:
    """The same observation with nodes and permission errors."""
    facts, target = seen.cluster, seen.target
    if not _answers(facts):
        return seen
    cluster = _part(lambda: readers.clusters.login(facts))
    if isinstance(cluster, Unknown):
        return replace(seen, nodes=cluster, permission_errors=cluster)
    with ThreadPoolExecutor(_READERS) as pool:
        nodes = pool.submit(_part, cluster.nodes)
        errors = pool.submit(_part, lambda: cluster.plugin_errors(target.namespace))
        return replace(
            seen,
            nodes=() if isinstance(it := nodes.result(), Missing) else it,
            permission_errors=() if isinstance(reported := errors.result(), Missing) else reported,
        )


def read_advice(seen: Observation, readers: Readers) -> Observation:
    """The same observation with what a message tells besides: versions, until when they are supported, and node auto repair's clock."""
    if not isinstance(seen.cluster, ClusterFacts):
        return seen
    cluster, version, eks = seen.target.cluster, seen.cluster.version, readers.eks
    unwell = isinstance(seen.nodes, tuple) and any(not node.ready for node in seen.nodes)
    with ThreadPoolExecutor(_READERS) as pool:
        repair = pool.submit(lambda: _optional(lambda: eks.node_repair(cluster)) if unwell else NOT_READ)
        advised = pool.submit(
            lambda: _optional(lambda: eks.version_advice(seen.addon_name or "", version)) if _has_record(seen) else NOT_READ
        )
        support = pool.submit(lambda: _optional(lambda: eks.support(version)))
        return replace(seen, node_repair=repair.result(), versions=advised.result(), support=support.result())


def _has_record(seen: Observation) -> bool:
    return isinstance(seen.addon, AddonFacts)


def _part(read_it: Callable[[], T]) -> T | Unknown:
    """A read whose closed door is a finding. What may succeed later is raised, so that the whole check is made again."""
    try:
        return read_it()
    except AccessDenied as error:
        return Unknown(str(error), error.denial)
    except PermanentError as error:
        return Unknown(str(error))


def _optional(read_it: Callable[[], T]) -> T | Unknown:
    """A read that the check can do without: IAM may have no endpoint in a VPC, and advice is only advice."""
    try:
        return _part(read_it)
    except TransientError as error:
        return Unknown(str(error), Denial.UNREACHABLE)


def _agent(eks: EksPort, cluster: str, associations: Sequence[Association] | Missing | Unknown) -> bool | Unknown | NotRead:
    if not isinstance(associations, tuple) or not associations:
        return NOT_READ
    found = _optional(lambda: eks.addon(cluster, POD_IDENTITY_AGENT_ADDON))
    return found if isinstance(found, Unknown) else isinstance(found, AddonFacts)


def _guards(
    target: ServiceAccountRef,
    readers: Readers,
    pool: ThreadPoolExecutor,
    *,
    binding: Binding | InvalidBinding | Missing,
    cluster: ClusterFacts | Missing | Unknown,
    addon: AddonFacts | Missing | Unknown | NotRead,
    associations: tuple[Association, ...] | Missing | Unknown,
) -> tuple[
    "Future[RoleFacts | Missing | Unknown | NotRead]",
    "Future[OidcProvider | Missing | Unknown | NotRead]",
    "Future[Mapping[str, str] | Unknown | NotRead]",
]:
    in_force = associations[0].role_arn if isinstance(associations, tuple) and associations else None
    recorded = addon.role_arn if isinstance(addon, AddonFacts) and isinstance(binding, Missing) else None
    role_arn = in_force or (binding.role_arn if isinstance(binding, Binding) else recorded)
    irsa = role_arn is not None and in_force is None and isinstance(cluster, ClusterFacts)
    family = cluster.ip_family if isinstance(cluster, ClusterFacts) else "ipv4"
    calls = needed_calls(target.namespace, target.name, family) if irsa else ()
    role = pool.submit(lambda: _role(readers, role_arn) if role_arn else NOT_READ)
    provider = pool.submit(lambda: _provider(readers, cluster, role_arn) if irsa and isinstance(cluster, ClusterFacts) else NOT_READ)
    simulated = pool.submit(lambda: _simulated(readers, role_arn, calls) if role_arn and calls else NOT_READ)
    return role, provider, simulated


def _role(readers: Readers, arn: str) -> RoleFacts | Missing | Unknown:
    account = arn.split(":")[4]
    if account != readers.account:
        return Unknown(f"the role belongs to account {account}, whose IAM we cannot read")
    return _optional(lambda: readers.iam.role(arn))


def _provider(readers: Readers, cluster: ClusterFacts, role_arn: str | None) -> OidcProvider | Missing | Unknown:
    """The provider stands in the account of the role, whichever account the cluster is in.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/cross-account-access.html
    """
    if cluster.issuer is None:
        return Missing("OIDC issuer")
    if role_arn and (account := role_arn.split(":")[4]) != readers.account:
        return Unknown(f"it belongs to account {account}, that of the role, whose IAM we cannot read")
    arn = f"arn:{readers.partition}:iam::{readers.account}:oidc-provider/{cluster.issuer.removeprefix('https://')}"
    return _optional(lambda: readers.iam.oidc_provider(arn))


def _simulated(readers: Readers, role_arn: str, calls: Sequence[str]) -> Mapping[str, str] | Unknown:
    if not readers.may_simulate:
        return Unknown("the optional grant iam:SimulatePrincipalPolicy is not deployed")
    if role_arn.split(":")[4] != readers.account:
        return Unknown("the role belongs to another account")
    return _optional(lambda: _asked_iam(readers, role_arn, calls))


def _asked_iam(readers: Readers, role_arn: str, calls: Sequence[str]) -> Mapping[str, str] | Unknown:
    """Many people may not simulate, and what a table has room for is which right they lack."""
    try:
        return readers.iam.simulate(role_arn, calls)
    except AccessDenied as error:
        if error.denial is not Denial.FORBIDDEN:
            raise
        return Unknown("not asked: iam:SimulatePrincipalPolicy is not granted", error.denial)


def _answers(facts: ClusterFacts | Missing | Unknown) -> TypeGuard[ClusterFacts]:
    """Whether there is an API server to ask: a cluster that is being made or unmade has no endpoint."""
    return isinstance(facts, ClusterFacts) and facts.status in ("ACTIVE", "UPDATING")


def _in_cluster(
    target: ServiceAccountRef, clusters: ClustersPort, facts: ClusterFacts | Missing | Unknown, pool: ThreadPoolExecutor
) -> _InCluster:
    cluster = _part(lambda: clusters.login(facts)) if _answers(facts) else Unknown("the cluster is not there to be asked")
    if isinstance(cluster, Unknown):
        return _InCluster(service_account=cluster, workload=cluster, pods=cluster)
    account = pool.submit(_part, lambda: cluster.service_account(target.namespace, target.name))
    pods = pool.submit(_part, lambda: cluster.pods(target.namespace, target.name))
    workload = workload_of(cluster, target, pods.result)
    return _InCluster(service_account=account.result(), workload=workload, pods=pods.result())


def workload_of(
    cluster: ClusterPort, target: ServiceAccountRef, pods: Callable[[], tuple[PodFacts, ...] | Unknown]
) -> WorkloadFacts | Missing | Unknown:
    """The workload by its known name, else the one behind the pods, which are asked for only then."""
    if it := known(target.namespace, target.name):
        return _part(lambda: cluster.workload(target.namespace, it.kind, it.name))
    found = pods()
    if isinstance(found, Unknown):
        return found
    owner = next((pod.owner for pod in found if pod.owner), None)
    behind = _part(lambda: cluster.owner(target.namespace, *owner)) if owner else None
    if isinstance(behind, Unknown):
        return behind
    return (
        _part(lambda: cluster.workload(target.namespace, *behind)) if behind else Missing(f"workload of {target.namespace}/{target.name}")
    )
