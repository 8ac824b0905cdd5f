"""Why a node is not Ready, told apart by what it says itself."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from lambdas.domain.observation import NodeFacts


class NodeCause(StrEnum):
    """Causes that need different hands."""

    CNI = "the CNI has not started on it"
    ADDRESSES = "its subnet has no free address"
    SHUT_DOWN = "its instance is shut down"
    LOST = "its kubelet has stopped answering"
    DISK = "its disk is full"
    MEMORY = "it is out of memory"
    OTHER = "it says so itself"


_CNI_WORDS: Final = ("cni plugin not initialized", "cni config uninitialized", "NetworkPluginNotReady")
_ADDRESS_WORDS: Final = ("InsufficientFreeAddresses", "IPAMDNoIPs", "failed to assign an IP address", "no available IP")


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
        return NodeCause.CNI
    if "DiskPressure" in node.pressures:
        return NodeCause.DISK
    if "MemoryPressure" in node.pressures:
        return NodeCause.MEMORY
    return NodeCause.OTHER


def waiting_for_cni(nodes: Sequence[NodeFacts]) -> tuple[NodeFacts, ...]:
    """Nodes that are NotReady since their CNI has not started, in the order given."""
    return tuple(node for node in nodes if cause(node) is NodeCause.CNI)


def unwell_otherwise(nodes: Sequence[NodeFacts]) -> tuple[NodeFacts, ...]:
    """Nodes that are NotReady for a cause that no role would cure, in the order given."""
    return tuple(node for node in nodes if cause(node) not in (None, NodeCause.CNI))
