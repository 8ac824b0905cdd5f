"""Signs of nodes that are not Ready: what kubelets say, what the node controller concludes, and nodes that have just come."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from lambdas.contract.audit import NETWORK_NOT_READY
from lambdas.domain.audit.record import Write
from lambdas.domain.untrusted_json import inside, node_name, text


class NodeCause(StrEnum):
    """Why a node is on our mind; the value stands in the event."""

    NETWORK = "network-plugin-not-ready"
    KUBELET = "kubelet-not-ready"
    SILENT = "kubelet-silent"
    REGISTERED = "registered"


@dataclass(frozen=True)
class NodeSignal:
    """One node, one cause, one moment."""

    cause: NodeCause
    node: str
    at: datetime


def node_signal(write: Write) -> NodeSignal | None:
    """What a write tells about a node, or None."""
    if write.resource != "nodes":
        return None
    name = node_name(write.name)
    if name is None:
        return None
    if write.subresource == "" and write.verb == "create":
        return NodeSignal(NodeCause.REGISTERED, name, write.at)
    if write.subresource != "status" or write.verb not in ("patch", "update"):
        return None
    cause = _cause(write.request)
    return NodeSignal(cause, name, write.at) if cause else None


def _cause(body: Any) -> NodeCause | None:
    """From the Ready condition in a patch or an update, wherever in the list it stands; a patch without it says nothing."""
    conditions = inside(body, "status", "conditions")
    for condition in conditions if isinstance(conditions, list) else ():
        if not isinstance(condition, dict) or condition.get("type") != "Ready":
            continue
        status = condition.get("status")
        if status == "Unknown":
            return NodeCause.SILENT
        if status == "False":
            return NodeCause.NETWORK if NETWORK_NOT_READY in text(condition, "message") else NodeCause.KUBELET
    return None
