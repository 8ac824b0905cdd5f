"""The node lifecycle controller: nodes become Ready after the network plug-in ran, and Unknown after their kubelet stopped.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/nodelifecycle/node_lifecycle_controller.go
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.cluster.clock import stamp, utc_now
from sandbox.cluster.manifests import NOT_READY_TAINT, conditions
from sandbox.cluster.resources import CORE_EVENTS, NODES, PODS
from sandbox.controllers import pod_status
from sandbox.controllers.api_changes import Change, Create, WakeAt, delete, patch, patch_status
from sandbox.controllers.cluster_snapshot import ClusterSnapshot, condition
from sandbox.controllers.kubelet import Timings
from sandbox.controllers.node_files import CNI_CONFIGURATION, NodeFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sandbox.controllers.client import View

UNREACHABLE_TAINT = "node.kubernetes.io/unreachable"


@dataclass
class NodeLifecycleController:
    """Sets the conditions of nodes. The kubelets share `stopped` and `files`."""

    stopped: set[str] = field(default_factory=set)
    files: NodeFiles = field(default_factory=NodeFiles)
    timings: Timings = field(default_factory=Timings)
    now: Callable[[], datetime] = utc_now
    _silent_since_s: dict[str, float] = field(default_factory=dict)

    def step(self, snapshot: ClusterSnapshot, now_s: float) -> Iterator[Change]:
        """One round over all nodes, and over pods whose node was deleted."""
        for name, node in snapshot.nodes.items():
            if name in self.stopped:
                yield from self._lose(node, snapshot, now_s)
            else:
                self._silent_since_s.pop(name, None)
                yield from self._restore(node)
        for name, pods in snapshot.pods_by_node.items():
            if name and name not in snapshot.nodes:
                yield from (delete(PODS, pod, grace_period_s=0) for pod in pods)

    def _restore(self, node: View) -> Iterator[Change]:
        """A node becomes Ready when its plug-in has written the CNI configuration, and stays Ready, because the file remains."""
        ready = condition(node, "Ready")
        waits_for_cni = ready.get("status") == "False" and "cni plugin not initialized" in ready.get("message", "")
        if (waits_for_cni and self.files.exists(_name(node), CNI_CONFIGURATION)) or ready.get("status") == "Unknown":
            yield patch_status(NODES, node, {"conditions": conditions(ready=True, since=stamp(self.now()))})
        elif ready.get("status") == "True" and (held := _taints(node)):
            yield patch(NODES, node, {"spec": {"taints": _without(node, held)}})

    def _lose(self, node: View, snapshot: ClusterSnapshot, now_s: float) -> Iterator[Change]:
        """A stopped kubelet: after a delay every condition is Unknown, and the pods are not ready."""
        due_s = self._silent_since_s.setdefault(_name(node), now_s) + self.timings.node_lost_s
        if now_s < due_s:
            yield WakeAt(due_s)
        elif condition(node, "Ready").get("status") != "Unknown":
            now = stamp(self.now())
            yield patch_status(NODES, node, {"conditions": _unknown(node, now)})
            yield patch(NODES, node, {"spec": {"taints": [*(_without(node, {UNREACHABLE_TAINT}) or ()), _taint(UNREACHABLE_TAINT)]}})
            yield Create(CORE_EVENTS, _not_ready_event(node, self.now()))
            yield from (patch_status(PODS, pod, pod_status.unready(pod, now)) for pod in snapshot.pods_by_node.get(_name(node), ()))


def _name(node: View) -> str:
    return str(node["metadata"]["name"])


def _taints(node: View) -> set[str]:
    """The taints of the node that a failure caused."""
    held = {each["key"] for each in (node.get("spec") or {}).get("taints") or ()}
    return held & {NOT_READY_TAINT, UNREACHABLE_TAINT}


def _without(node: View, keys: set[str]) -> list[Any] | None:
    remaining = [each for each in (node.get("spec") or {}).get("taints") or () if each["key"] not in keys]
    return remaining or None


def _taint(key: str) -> dict[str, str]:
    return {"key": key, "effect": "NoSchedule"}


def _unknown(node: View, now: str) -> list[dict[str, Any]]:
    condition = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
    return [{**each, **condition, "lastTransitionTime": now} for each in node["status"]["conditions"]]


def _not_ready_event(node: View, now: datetime) -> dict[str, Any]:
    name = _name(node)
    return {
        "metadata": {"name": f"{name}.{int(now.timestamp() * 1e9):x}", "namespace": "default"},
        "involvedObject": {"kind": "Node", "name": name, "uid": name},
        "type": "Normal",
        "reason": "NodeNotReady",
        "message": f"Node {name} status is now: NodeNotReady",
        "source": {"component": "node-controller"},
        "reportingComponent": "node-controller",
        "firstTimestamp": stamp(now),
        "lastTimestamp": stamp(now),
        "count": 1,
    }
