"""Collects the snapshot of one ServiceAccount with parallel reads. A part that cannot be read is `Unknown`, never assumed."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeGuard

from lambdas.application.precondition_reads import submit_precondition_reads
from lambdas.application.readers import Hints, Readers, read_optional, read_or_unknown
from lambdas.contract.names import POD_IDENTITY_AGENT_ADDON
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.workloads import WorkloadKind, known
from lambdas.domain.ports import ClusterPort, ClustersPort
from lambdas.domain.snapshot.bindings import wants_association
from lambdas.domain.snapshot.node_reachability import nodes_without_agent
from lambdas.domain.snapshot.snapshot import (
    NOT_READ,
    AddonFacts,
    AgentFacts,
    ClusterFacts,
    Missing,
    NotRead,
    PodFacts,
    ServiceAccountFacts,
    Snapshot,
    Unknown,
    WorkloadFacts,
)

_PARALLEL_READS: Final = 8
"""The most reads that one check makes in parallel."""
_NO_HINTS: Final = Hints()


@dataclass(frozen=True, kw_only=True)
class _KubernetesFacts:
    service_account: ServiceAccountFacts | Missing | Unknown
    workload: WorkloadFacts | Missing | Unknown
    pods: tuple[PodFacts, ...] | Unknown


def collect_snapshot(target: ServiceAccountRef, readers: Readers, began_at: datetime, hints: Hints = _NO_HINTS) -> Snapshot:
    """The snapshot without symptoms and version advice: three Kubernetes requests, and one for each further page.

    Raises:
        TransientError: an essential read was throttled or got no answer; the same read may succeed later.
    """
    parameters = readers.parameters.load(target.cluster)
    settings, wrong = readers.settings(parameters, target.cluster)
    binding = readers.binding(parameters, target)
    workload = known(target.namespace, target.name)
    addon_name = workload.addon if workload else None
    with readers.new_executor(_PARALLEL_READS) as executor:
        cluster_read = executor.submit(read_or_unknown, lambda: readers.eks.cluster(target.cluster))
        addon_read = executor.submit(read_or_unknown, lambda: readers.eks.addon(target.cluster, addon_name)) if addon_name else None
        associations_read = executor.submit(read_or_unknown, lambda: readers.eks.associations(target))
        cluster = cluster_read.result()
        kubernetes_read = executor.submit(_read_kubernetes, target, readers.clusters, cluster, executor)
        associations = associations_read.result()
        addon = addon_read.result() if addon_read else NOT_READ
        preconditions = submit_precondition_reads(
            target, readers, executor, binding=binding, cluster=cluster, addon=addon, associations=associations
        )
        needs_agent = wants_association(binding) or (isinstance(associations, tuple) and bool(associations))
        agent_read = executor.submit(lambda: _read_agent(readers, target.cluster, cluster) if needs_agent else NOT_READ)
        kubernetes = kubernetes_read.result()
        return Snapshot(
            target=target,
            began_at=began_at,
            account=readers.account,
            region=readers.region,
            partition=readers.partition,
            bound_roles=readers.bound_roles,
            binding=binding,
            settings=settings,
            invalid_settings=wrong,
            cluster=cluster,
            addon_name=addon_name,
            addon=addon,
            associations=() if isinstance(associations, Missing) else associations,
            agent=_add_compute_types(agent_read.result(), kubernetes.pods, readers, cluster),
            role=preconditions.role.result(),
            oidc_provider=preconditions.oidc_provider.result(),
            simulated=preconditions.simulated.result(),
            target_role=preconditions.target_role.result(),
            target_simulated=preconditions.target_simulated.result(),
            service_account=kubernetes.service_account,
            workload=kubernetes.workload,
            pods=kubernetes.pods,
            known_good_at=_known_good_at(hints, cluster),
            actor=hints.actor,
            refusals=hints.refusals,
        )


def _known_good_at(hints: Hints, cluster: ClusterFacts | Missing | Unknown) -> datetime | None:
    """When a check last found no fault in this cluster. An earlier time belongs to a deleted cluster with the same name."""
    at = hints.known_good_at
    is_earlier = at is not None and isinstance(cluster, ClusterFacts) and at < cluster.created_at
    return None if is_earlier else at


RECORDED_FOR: Final = timedelta(hours=1)
"""How far back refusals are looked for. A pod in back-off repeats its call every five minutes."""


def needs_event_history(snapshot: Snapshot, readers: Readers) -> bool:
    """Whether refusals can be looked up: the grant was deployed, and the pods ask STS for their role."""
    return readers.event_history is not None and snapshot.desired_role is not None and not snapshot.associations


def add_recorded_refusals(snapshot: Snapshot, readers: Readers) -> Snapshot:
    """The same snapshot with the refusals in CloudTrail's event history: one lookup. A throttled lookup is not known."""
    history = readers.event_history
    if history is None:
        return snapshot
    until = snapshot.began_at
    found = read_optional(lambda: history.refused_tokens(snapshot.target.subject, until - RECORDED_FOR, until))
    return replace(snapshot, recorded_refusals=found)


def add_identity_webhook(snapshot: Snapshot, readers: Readers) -> Snapshot:
    """The same snapshot with the registration of the identity webhook: one read by name."""
    facts = snapshot.cluster
    if not _has_api_server(facts):
        return snapshot
    registered = read_optional(lambda: readers.clusters.login(facts).has_identity_webhook())
    return replace(snapshot, has_identity_webhook=registered)


def add_guards(snapshot: Snapshot, readers: Readers) -> Snapshot:
    """The same snapshot with the guard and the warning of the ServiceAccount."""
    facts, target = snapshot.cluster, snapshot.target
    if not _has_api_server(facts):
        return snapshot
    return replace(snapshot, guards=read_optional(lambda: readers.clusters.login(facts).guards(target.namespace, target.name)))


def add_symptoms(snapshot: Snapshot, readers: Readers) -> Snapshot:
    """The same snapshot with nodes and permission errors."""
    facts, target = snapshot.cluster, snapshot.target
    if not _has_api_server(facts):
        return snapshot
    cluster = read_or_unknown(lambda: readers.clusters.login(facts))
    if isinstance(cluster, Unknown):
        return replace(snapshot, nodes=cluster, permission_errors=cluster)
    with readers.new_executor(_PARALLEL_READS) as executor:
        nodes_read = executor.submit(read_or_unknown, cluster.nodes)
        workload = snapshot.workload if isinstance(snapshot.workload, WorkloadFacts) else None
        is_short = workload is not None and isinstance(snapshot.pods, tuple) and len(snapshot.pods) < workload.desired
        controller_read = executor.submit(
            lambda: read_optional(lambda: cluster.controller_errors(target.namespace, workload.name)) if workload and is_short else NOT_READ
        )
        errors_read = executor.submit(read_or_unknown, lambda: cluster.plugin_errors(target.namespace))
        return replace(
            snapshot,
            nodes=() if isinstance(nodes := nodes_read.result(), Missing) else nodes,
            permission_errors=() if isinstance(errors := errors_read.result(), Missing) else errors,
            controller_errors=() if isinstance(failed := controller_read.result(), Missing) else failed,
        )


def add_advice(snapshot: Snapshot, readers: Readers) -> Snapshot:
    """The same snapshot with facts for messages alone: add-on versions, support dates, and node auto repair."""
    if not isinstance(snapshot.cluster, ClusterFacts):
        return snapshot
    cluster, version, eks = snapshot.target.cluster, snapshot.cluster.version, readers.eks
    has_unready_nodes = isinstance(snapshot.nodes, tuple) and any(not node.ready for node in snapshot.nodes)
    addon_name = snapshot.addon_name if isinstance(snapshot.addon, AddonFacts) else None
    with readers.new_executor(_PARALLEL_READS) as executor:
        repair = executor.submit(lambda: read_optional(lambda: eks.node_repair(cluster)) if has_unready_nodes else NOT_READ)
        versions = executor.submit(lambda: read_optional(lambda: eks.version_advice(addon_name, version)) if addon_name else NOT_READ)
        support = executor.submit(lambda: read_optional(lambda: eks.support(version)))
        return replace(snapshot, node_repair=repair.result(), versions=versions.result(), support=support.result())


def workload_name(readers: Readers, facts: ClusterFacts, target: ServiceAccountRef) -> tuple[WorkloadKind, str] | None:
    """The workload of a ServiceAccount: by its known name, without a request, else the owner of its pods. None where there are no pods.

    Raises:
        RemediatorError: a read failed.
    """
    if workload := known(target.namespace, target.name):
        return workload.kind, workload.name
    cluster = readers.clusters.login(facts)
    owner = next((pod.owner for pod in cluster.pods(target.namespace, target.name) if pod.owner), None)
    return cluster.owner(target.namespace, *owner) if owner else None


def read_workload(
    cluster: ClusterPort, target: ServiceAccountRef, pods: Callable[[], tuple[PodFacts, ...] | Unknown]
) -> WorkloadFacts | Missing | Unknown:
    """The workload of a ServiceAccount: by its known name, else the owner of its pods. `pods` is called only for the latter."""
    if workload := known(target.namespace, target.name):
        return read_or_unknown(lambda: cluster.workload(target.namespace, workload.kind, workload.name))
    found = pods()
    if isinstance(found, Unknown):
        return found
    controller = next((pod.owner for pod in found if pod.owner), None)
    owner = read_or_unknown(lambda: cluster.owner(target.namespace, *controller)) if controller else None
    if isinstance(owner, Unknown):
        return owner
    if owner is None:
        return Missing(f"workload of {target.namespace}/{target.name}")
    return read_or_unknown(lambda: cluster.workload(target.namespace, *owner))


def _read_agent(
    readers: Readers,
    name: str,
    facts: ClusterFacts | Missing | Unknown,
) -> AgentFacts:
    """The Pod Identity agent: its add-on and its pods."""
    addon = read_optional(lambda: readers.eks.addon(name, POD_IDENTITY_AGENT_ADDON))
    if not _has_api_server(facts):
        return AgentFacts(addon=addon, pods=Unknown("the cluster has no API server"))
    pods = read_optional(lambda: readers.clusters.login(facts).agent_pods())
    return AgentFacts(addon=addon, pods=pods)


def _add_compute_types(
    agent: AgentFacts | NotRead, pods: tuple[PodFacts, ...] | Unknown, readers: Readers, facts: ClusterFacts | Missing | Unknown
) -> AgentFacts | NotRead:
    """The agent with the types of nodes, where a node of the pods has no ready agent pod: some types have none."""
    if not isinstance(agent, AgentFacts) or isinstance(agent.pods, Unknown) or isinstance(pods, Unknown) or not _has_api_server(facts):
        return agent
    if not nodes_without_agent(pods, agent.pods):
        return agent
    return replace(agent, compute_types=read_optional(lambda: readers.clusters.login(facts).compute_types()))


def add_agent(snapshot: Snapshot, readers: Readers) -> Snapshot:
    """The same snapshot with the Pod Identity agent, which is not read while nothing needs it."""
    if isinstance(snapshot.agent, AgentFacts):
        return snapshot
    agent = _read_agent(readers, snapshot.target.cluster, snapshot.cluster)
    return replace(snapshot, agent=_add_compute_types(agent, snapshot.pods, readers, snapshot.cluster))


def _has_api_server(facts: ClusterFacts | Missing | Unknown) -> TypeGuard[ClusterFacts]:
    return isinstance(facts, ClusterFacts) and facts.has_api_server


def _read_kubernetes(
    target: ServiceAccountRef, clusters: ClustersPort, facts: ClusterFacts | Missing | Unknown, executor: Executor
) -> _KubernetesFacts:
    cluster = read_or_unknown(lambda: clusters.login(facts)) if _has_api_server(facts) else Unknown("the cluster has no API server")
    if isinstance(cluster, Unknown):
        return _KubernetesFacts(service_account=cluster, workload=cluster, pods=cluster)
    account = executor.submit(read_or_unknown, lambda: cluster.service_account(target.namespace, target.name))
    pods = executor.submit(read_or_unknown, lambda: cluster.pods(target.namespace, target.name))
    workload = read_workload(cluster, target, pods.result)
    return _KubernetesFacts(service_account=account.result(), workload=workload, pods=pods.result())
