"""Reachable pods and nodes. No kubelet manages the pods of a lost node, so neither a repair nor its verification waits for them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.snapshot.snapshot import NodeFacts, PodFacts, Snapshot, WorkloadFacts


def lost_nodes(pods: Sequence[PodFacts], nodes: Sequence[NodeFacts]) -> frozenset[str]:
    """Names of nodes whose kubelet does not report, and of nodes that were deleted while pods still name them.

    A pod on such a node is neither stopped nor started. A deleted pod stays until the node returns or is deleted.

    Args:
        pods: read before the nodes, so that no pod is on a node that joined later.
        nodes: every node. An empty list shows nothing.

    Source: https://kubernetes.io/docs/concepts/architecture/nodes/#condition
    """
    existing = {node.name for node in nodes}
    gone = {pod.node for pod in pods if pod.node and pod.node not in existing} if existing else set()
    return frozenset(gone | {node.name for node in nodes if node.ready is None})


def pods_on_lost_nodes(snapshot: Snapshot) -> tuple[PodFacts, ...]:
    """Pods on lost nodes in the given order; none where pods or nodes were not read."""
    if not isinstance(snapshot.pods, tuple) or not isinstance(snapshot.nodes, tuple):
        return ()
    lost = lost_nodes(snapshot.pods, snapshot.nodes)
    return tuple(pod for pod in snapshot.pods if pod.node in lost)


def reachable_pods(snapshot: Snapshot) -> tuple[PodFacts, ...]:
    """Pods that are neither on a lost node nor terminating, in the given order; none where pods were not read."""
    if not isinstance(snapshot.pods, tuple):
        return ()
    lost = {pod.uid for pod in pods_on_lost_nodes(snapshot)}
    return tuple(pod for pod in snapshot.pods if pod.uid not in lost and not pod.deleting)


def nodes_without_agent(pods: Iterable[PodFacts], agents: Iterable[PodFacts]) -> list[PodFacts]:
    """The oldest of these pods on each node where no pod of the Pod Identity agent is ready, oldest first."""
    served = {agent.node for agent in agents if agent.ready and not agent.deleting}
    oldest: dict[str, PodFacts] = {}
    for pod in sorted(pods, key=lambda item: (item.created_at, item.name)):
        if pod.node and pod.node not in served:
            oldest.setdefault(pod.node, pod)
    return list(oldest.values())


def is_rolled_out(snapshot: Snapshot) -> bool:
    """Whether the controller has updated every reachable pod to the current template, or cannot update any more."""
    if not isinstance(snapshot.workload, WorkloadFacts) or is_rollout_stalled(snapshot):
        return True
    return replace(snapshot.workload, updated=snapshot.workload.updated + len(pods_on_lost_nodes(snapshot))).is_rolled_out


def is_rollout_stalled(snapshot: Snapshot) -> bool:
    """Whether a rollout stops at pods of lost nodes. The controller deletes them first, and they use up the unavailable pods.

    A Deployment starts their successors on other nodes.
    Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/daemon/update.go (rollingUpdate)
    """
    workload = snapshot.workload
    if not isinstance(workload, WorkloadFacts) or workload.kind is WorkloadKind.DEPLOYMENT:
        return False
    return len(pods_on_lost_nodes(snapshot)) >= workload.max_unavailable


def reachable_desired_count(workload: WorkloadFacts, pods: Sequence[PodFacts], nodes: Sequence[NodeFacts]) -> int:
    """The number of pods that the controller can run: the desired number without those on lost nodes that still exist.

    A terminating pod of a Deployment has its successor elsewhere. Other kinds wait until it is gone.
    """
    lost = {node.name for node in nodes if node.ready is None}
    held = [pod for pod in pods if pod.node in lost and not (pod.deleting and workload.kind is WorkloadKind.DEPLOYMENT)]
    return workload.desired - len(held)
