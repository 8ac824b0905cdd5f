"""The causes of nodes that are not Ready, from their conditions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from lambdas.domain.snapshot.snapshot import NodeFacts


class NodeCause(StrEnum):
    """Causes that need different repairs."""

    CNI = "the CNI has not started on it"
    OTHER_NETWORK = "its network, which is not that of aws-node, has not started"
    ADDRESSES = "its subnet has no free address"
    SHUT_DOWN = "its instance is shut down"
    LOST = "its kubelet has stopped answering"
    DISK = "its disk is full"
    MEMORY = "it is out of memory"
    OTHER = "its kubelet reports another cause"


_CNI_WORDS: Final = ("cni plugin not initialized", "cni config uninitialized", "NetworkPluginNotReady")
_ADDRESS_WORDS: Final = ("InsufficientFreeAddresses", "IPAMDNoIPs", "failed to assign an IP address", "no available IP")


_NOT_SERVED: Final = frozenset({"auto", "fargate", "hybrid"})


def is_served_by_cni(node: NodeFacts) -> bool:
    """Whether aws-node runs on the node: it runs on Linux, unless EKS or another CNI provides the network.

    The VPC resource controller serves Windows nodes, EKS itself Auto Mode and Fargate, and Cilium hybrid nodes.
    Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/config/master/aws-k8s-cni.yaml (affinity)
    """
    return node.os == "linux" and node.compute_type not in _NOT_SERVED


def is_within_grace(node: NodeFacts, now: datetime, grace_s: int) -> bool:
    """Whether the node is not Ready for less than the grace period of a joining node (seconds)."""
    since = node.since or node.created_at
    return since is not None and now - since < timedelta(seconds=grace_s)


def cause(node: NodeFacts) -> NodeCause | None:
    """Why the node is not Ready; None where it is Ready."""
    if node.ready:
        return None
    if node.shut_down:
        return NodeCause.SHUT_DOWN
    if node.ready is None:
        return NodeCause.LOST
    if any(word in node.message for word in _ADDRESS_WORDS):
        return NodeCause.ADDRESSES
    if any(word in node.message for word in _CNI_WORDS):
        return NodeCause.CNI if is_served_by_cni(node) else NodeCause.OTHER_NETWORK
    if "DiskPressure" in node.pressures:
        return NodeCause.DISK
    if "MemoryPressure" in node.pressures:
        return NodeCause.MEMORY
    return NodeCause.OTHER


def waiting_for_cni(nodes: Sequence[NodeFacts]) -> tuple[NodeFacts, ...]:
    """Nodes that are NotReady because their CNI has not started, in the given order."""
    return tuple(node for node in nodes if cause(node) is NodeCause.CNI)


def not_ready_otherwise(nodes: Sequence[NodeFacts]) -> tuple[NodeFacts, ...]:
    """Nodes that are NotReady for a cause that a role does not fix, in the given order."""
    return tuple(node for node in nodes if cause(node) not in (None, NodeCause.CNI))
