"""Why a node is not Ready, told apart by what it says itself."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from lambdas.domain.snapshot.snapshot import NodeFacts


class NodeCause(StrEnum):
    """Causes that need different hands."""

    CNI = "the CNI has not started on it"
    OTHER_NETWORK = "its network is not aws-node's, and has not started"
    ADDRESSES = "its subnet has no free address"
    SHUT_DOWN = "its instance is shut down"
    LOST = "its kubelet has stopped answering"
    DISK = "its disk is full"
    MEMORY = "it is out of memory"
    OTHER = "it says so itself"


_CNI_WORDS: Final = ("cni plugin not initialized", "cni config uninitialized", "NetworkPluginNotReady")
_ADDRESS_WORDS: Final = ("InsufficientFreeAddresses", "IPAMDNoIPs", "failed to assign an IP address", "no available IP")


_NOT_SERVED: Final = frozenset({"auto", "fargate", "hybrid"})


def is_served_by_cni(node: NodeFacts) -> bool:
    """Whether aws-node is meant to run there: on Linux, and not where EKS or another CNI makes the network.

    Windows nodes are served by the VPC resource controller, Auto Mode and Fargate by EKS itself, hybrid nodes by Cilium.
    Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/HEAD/config/master/aws-k8s-cni.yaml (affinity)
    """
    return node.os == "linux" and node.compute_type not in _NOT_SERVED


def is_within_grace(node: NodeFacts, now: datetime, grace_s: int) -> bool:
    """Whether it has not been unwell for longer than a node that joins may be (seconds)."""
    since = node.since or node.created_at
    return since is not None and now - since < timedelta(seconds=grace_s)


def cause(node: NodeFacts) -> NodeCause | None:
    """Why the node is not Ready, or None where it is Ready."""
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
    """Nodes that are NotReady since their CNI has not started, in the order given."""
    return tuple(node for node in nodes if cause(node) is NodeCause.CNI)


def not_ready_otherwise(nodes: Sequence[NodeFacts]) -> tuple[NodeFacts, ...]:
    """Nodes that are NotReady for a cause that no role would cure, in the order given."""
    return tuple(node for node in nodes if cause(node) not in (None, NodeCause.CNI))
