"""Who can still be reached: nobody tends the pods of a lost node, so neither a repair nor its proof may wait for them."""

from collections.abc import Sequence
from dataclasses import replace

from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.snapshot.snapshot import NodeFacts, PodFacts, Snapshot, WorkloadFacts


def lost_nodes(pods: Sequence[PodFacts], nodes: Sequence[NodeFacts]) -> frozenset[str]:
    """Names of nodes whose kubelet the control plane has lost touch with, and of nodes that are gone while pods still name them.

    Such a pod is neither stopped nor started: when it is deleted, it stays as it is until the node comes back or is deleted too.

    Args:
        pods: read before the nodes, so that no pod is on a node that joined after the nodes were read.
        nodes: every node; none at all tells nothing.

    Source: https://kubernetes.io/docs/concepts/architecture/nodes/#condition
    """
    there = {node.name for node in nodes}
    gone = {pod.node for pod in pods if pod.node and pod.node not in there} if there else set()
    return frozenset(gone | {node.name for node in nodes if node.ready is None})


def pods_on_lost_nodes(snapshot: Snapshot) -> tuple[PodFacts, ...]:
    """Pods on lost nodes, in the order given; none where pods or nodes were not read."""
    if not isinstance(snapshot.pods, tuple) or not isinstance(snapshot.nodes, tuple):
        return ()
    lost = lost_nodes(snapshot.pods, snapshot.nodes)
    return tuple(pod for pod in snapshot.pods if pod.node in lost)


def reachable_pods(snapshot: Snapshot) -> tuple[PodFacts, ...]:
    """Pods that count: neither on a lost node nor on their way out, in the order given; none where pods were not read."""
    if not isinstance(snapshot.pods, tuple):
        return ()
    lost = {pod.uid for pod in pods_on_lost_nodes(snapshot)}
    return tuple(pod for pod in snapshot.pods if pod.uid not in lost and not pod.deleting)


def is_rolled_out(snapshot: Snapshot) -> bool:
    """Whether the controller has brought every pod that it can reach to the present template, or can go on with none of them."""
    if not isinstance(snapshot.workload, WorkloadFacts) or is_rollout_stalled(snapshot):
        return True
    return replace(snapshot.workload, updated=snapshot.workload.updated + len(pods_on_lost_nodes(snapshot))).is_rolled_out


def is_rollout_stalled(snapshot: Snapshot) -> bool:
    """Whether a roll-out stops at the pods of lost nodes: the controller deletes them first, and then they are what may be unavailable.

    A Deployment starts their successors elsewhere.
    Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/daemon/update.go (rollingUpdate)
    """
    workload = snapshot.workload
    if not isinstance(workload, WorkloadFacts) or workload.kind is WorkloadKind.DEPLOYMENT:
        return False
    return len(pods_on_lost_nodes(snapshot)) >= workload.max_unavailable


def reachable_desired_count(workload: WorkloadFacts, pods: Sequence[PodFacts], nodes: Sequence[NodeFacts]) -> int:
    """How many pods the controller can bring to run: those it wants, but for what it wants on nodes that are lost and not deleted yet.

    A Deployment's pod that is on its way out has its successor elsewhere; the other kinds wait until it is gone for good.
    """
    lost = {node.name for node in nodes if node.ready is None}
    held = [pod for pod in pods if pod.node in lost and not (pod.deleting and workload.kind is WorkloadKind.DEPLOYMENT)]
    return workload.desired - len(held)
