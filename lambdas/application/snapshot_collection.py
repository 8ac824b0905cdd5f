"""Observe: read what the identity of one ServiceAccount hangs on, in parallel. A part that cannot be read is Unknown, never a guess."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeGuard, TypeVar

from lambdas.application.precondition_reads import guards
from lambdas.application.readers import Hints, Readers, optional, part
from lambdas.contract.names import POD_IDENTITY_AGENT_ADDON
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.settings import read_settings
from lambdas.contract.workloads import known
from lambdas.domain.ports import ClusterPort, ClustersPort, EksPort
from lambdas.domain.snapshot.bindings import binding_for
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    AddonFacts,
    Association,
    ClusterFacts,
    Missing,
    NotRead,
    PodFacts,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
    WorkloadFacts,
)

T = TypeVar("T")
_READERS: Final = 8
"""Parallel reads: as many as one check has at a time."""


_NO_HINTS: Final = Hints()


@dataclass(frozen=True, kw_only=True)
class _InCluster:
    service_account: ServiceAccountFacts | Missing | Unknown
    workload: WorkloadFacts | Missing | Unknown
    pods: tuple[PodFacts, ...] | Unknown


def read(target: ServiceAccountRef, readers: Readers, began_at: datetime, hints: Hints = _NO_HINTS) -> Snapshot:
    """Everything but the symptoms: three Kubernetes requests plus pages.

    Raises:
        TransientError: something essential was throttled or did not answer; the same read may succeed later.
    """
    parameters = readers.parameters.load(target.cluster)
    settings, wrong = read_settings({path: item.value for path, item in parameters.items()}, target.cluster)
    binding = binding_for(parameters, target, account=readers.account, partition=readers.partition, region=readers.region)
    workload = known(target.namespace, target.name)
    addon_name = workload.addon if workload else None
    with ThreadPoolExecutor(_READERS) as pool:
        cluster = pool.submit(part, lambda: readers.eks.cluster(target.cluster))
        addon = pool.submit(part, lambda: readers.eks.addon(target.cluster, addon_name)) if addon_name else None
        associations = pool.submit(part, lambda: readers.eks.associations(target))
        facts = cluster.result()
        inside = pool.submit(_in_cluster, target, readers.clusters, facts, pool)
        mechanism = associations.result()
        record = addon.result() if addon else NOT_READ
        role, provider, simulated = guards(target, readers, pool, binding=binding, cluster=facts, addon=record, associations=mechanism)
        agent = pool.submit(_agent, readers.eks, target.cluster, mechanism)
        snapshot = inside.result()
        return Snapshot(
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
            service_account=snapshot.service_account,
            workload=snapshot.workload,
            pods=snapshot.pods,
            known_good_at=hints.known_good_at,
            actor=hints.actor,
        )


def read_symptoms(snapshot: Snapshot, readers: Readers) -> Snapshot:
    """The same observation with nodes and permission errors."""
    facts, target = snapshot.cluster, snapshot.target
    if not _answers(facts):
        return snapshot
    cluster = part(lambda: readers.clusters.login(facts))
    if isinstance(cluster, Unknown):
        return replace(snapshot, nodes=cluster, permission_errors=cluster)
    with ThreadPoolExecutor(_READERS) as pool:
        nodes = pool.submit(part, cluster.nodes)
        errors = pool.submit(part, lambda: cluster.plugin_errors(target.namespace))
        return replace(
            snapshot,
            nodes=() if isinstance(it := nodes.result(), Missing) else it,
            permission_errors=() if isinstance(reported := errors.result(), Missing) else reported,
        )


def read_advice(snapshot: Snapshot, readers: Readers) -> Snapshot:
    """The same observation with what a message tells besides: versions, until when they are supported, and node auto repair's clock."""
    if not isinstance(snapshot.cluster, ClusterFacts):
        return snapshot
    cluster, version, eks = snapshot.target.cluster, snapshot.cluster.version, readers.eks
    unwell = isinstance(snapshot.nodes, tuple) and any(not node.ready for node in snapshot.nodes)
    with ThreadPoolExecutor(_READERS) as pool:
        repair = pool.submit(lambda: optional(lambda: eks.node_repair(cluster)) if unwell else NOT_READ)
        advised = pool.submit(
            lambda: optional(lambda: eks.version_advice(snapshot.addon_name or "", version)) if _has_record(snapshot) else NOT_READ
        )
        support = pool.submit(lambda: optional(lambda: eks.support(version)))
        return replace(snapshot, node_repair=repair.result(), versions=advised.result(), support=support.result())


def _has_record(snapshot: Snapshot) -> bool:
    return isinstance(snapshot.addon, AddonFacts)


def _agent(eks: EksPort, cluster: str, associations: Sequence[Association] | Missing | Unknown) -> bool | Unknown | NotRead:
    if not isinstance(associations, tuple) or not associations:
        return NOT_READ
    found = optional(lambda: eks.addon(cluster, POD_IDENTITY_AGENT_ADDON))
    return found if isinstance(found, Unknown) else isinstance(found, AddonFacts)


def _answers(facts: ClusterFacts | Missing | Unknown) -> TypeGuard[ClusterFacts]:
    """Whether there is an API server to ask: a cluster that is being made or unmade has no endpoint."""
    return isinstance(facts, ClusterFacts) and facts.status in ("ACTIVE", "UPDATING")


def _in_cluster(
    target: ServiceAccountRef, clusters: ClustersPort, facts: ClusterFacts | Missing | Unknown, pool: ThreadPoolExecutor
) -> _InCluster:
    cluster = part(lambda: clusters.login(facts)) if _answers(facts) else Unknown("the cluster is not there to be asked")
    if isinstance(cluster, Unknown):
        return _InCluster(service_account=cluster, workload=cluster, pods=cluster)
    account = pool.submit(part, lambda: cluster.service_account(target.namespace, target.name))
    pods = pool.submit(part, lambda: cluster.pods(target.namespace, target.name))
    workload = workload_of(cluster, target, pods.result)
    return _InCluster(service_account=account.result(), workload=workload, pods=pods.result())


def workload_of(
    cluster: ClusterPort, target: ServiceAccountRef, pods: Callable[[], tuple[PodFacts, ...] | Unknown]
) -> WorkloadFacts | Missing | Unknown:
    """The workload by its known name, else the one behind the pods, which are asked for only then."""
    if it := known(target.namespace, target.name):
        return part(lambda: cluster.workload(target.namespace, it.kind, it.name))
    found = pods()
    if isinstance(found, Unknown):
        return found
    owner = next((pod.owner for pod in found if pod.owner), None)
    behind = part(lambda: cluster.owner(target.namespace, *owner)) if owner else None
    if isinstance(behind, Unknown):
        return behind
    return part(lambda: cluster.workload(target.namespace, *behind)) if behind else Missing(f"workload of {target.namespace}/{target.name}")
