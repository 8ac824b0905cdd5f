"""Signs of nodes that are not Ready: kubelet conditions, conclusions of the node controller, and registrations."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from lambdas.contract.audit import NETWORK_NOT_READY
from lambdas.domain.audit.record import Write
from lambdas.domain.untrusted_json import inside, node_name, text


class NodeCause(StrEnum):
    """Why a node is reported. Published in the event."""

    NETWORK = "network-plugin-not-ready"
    KUBELET = "kubelet-not-ready"
    SILENT = "kubelet-silent"
    REGISTERED = "registered"


@dataclass(frozen=True)
class NodeSignal:
    """One node, one cause, one time."""

    cause: NodeCause
    node: str
    at: datetime


def node_signal(write: Write) -> NodeSignal | None:
    """The sign in a write; None where it has none."""
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
    """The cause that the Ready condition of a patch or an update shows, at any position in the list. A patch may not contain it."""
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
