"""Lists as tables with the columns that the API server computes.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/printers/internalversion/printers.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.cluster.clock import parse_stamp
from sandbox.cluster.resources import DAEMON_SETS, NODES, PODS, Object, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

_NONE = "<none>"
_UNKNOWN = "<unknown>"
Cells = list[Any]
Column = tuple[str, str, int, str]
"""Name, type, priority (0: always shown, 1: only when wide), description."""

_NAME: Column = ("Name", "string", 0, "Name of the object, unique among its kind in its namespace.")
_AGE: Column = ("Age", "string", 0, "Time since the object was created.")
_WIDE_WORKLOAD: tuple[Column, ...] = (
    ("Containers", "string", 1, "Names of each container in the template."),
    ("Images", "string", 1, "Images referenced by each container in the template."),
    ("Selector", "string", 1, "Which pods belong to the workload."),
)
_POD_COLUMNS: tuple[Column, ...] = (
    _NAME,
    ("Ready", "string", 0, "The aggregate readiness state of this pod for accepting traffic."),
    ("Status", "string", 0, "The aggregate status of the containers in this pod."),
    ("Restarts", "string", 0, "How often containers of this pod were restarted, and when last."),
    _AGE,
    ("IP", "string", 1, "Address of the pod."),
    ("Node", "string", 1, "Node that the pod runs on."),
    ("Nominated Node", "string", 1, "Node that is being made free for the pod."),
    ("Readiness Gates", "string", 1, "Additional conditions that the pod's readiness waits for."),
)
_NODE_COLUMNS: tuple[Column, ...] = (
    _NAME,
    ("Status", "string", 0, "The status of the node"),
    ("Roles", "string", 0, "The roles of the node"),
    _AGE,
    ("Version", "string", 0, "Version of the kubelet."),
    ("Internal-IP", "string", 1, "Address inside the network."),
    ("External-IP", "string", 1, "Address outside the network."),
    ("OS-Image", "string", 1, "Operating system."),
    ("Kernel-Version", "string", 1, "Kernel."),
    ("Container-Runtime", "string", 1, "Container runtime."),
)
_DAEMON_SET_COLUMNS: tuple[Column, ...] = (
    _NAME,
    ("Desired", "integer", 0, "Nodes that should run the pod."),
    ("Current", "integer", 0, "Nodes that run at least one such pod."),
    ("Ready", "integer", 0, "Nodes whose pod is ready."),
    ("Up-to-date", "integer", 0, "Nodes whose pod follows the current template."),
    ("Available", "integer", 0, "Nodes whose pod has been ready long enough."),
    ("Node Selector", "string", 0, "Labels that a node must carry."),
    _AGE,
    *_WIDE_WORKLOAD,
)
_PLAIN_COLUMNS: tuple[Column, ...] = (_NAME, _AGE)


def human_duration(span: timedelta) -> str:
    """A duration in kubectl's format: `45s`, `5m10s`, `3h`, `2d4h`."""
    seconds = int(span.total_seconds())
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{max(seconds, 0)}s" if seconds >= -1 else "<invalid>"
    if hours < 8:
        return _two(minutes, "m", seconds % 60, "s", 10) if hours < 3 else _two(hours, "h", minutes % 60, "m", 8)
    if hours < 192:
        return f"{hours}h" if hours < 48 else _two(days, "d", hours % 24, "h", 8)
    return f"{days}d" if days < 730 else _two(days // 365, "y", days % 365, "d", 8)


def _two(large: int, large_unit: str, small: int, small_unit: str, exact_below: int) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small and large < exact_below else f"{large}{large_unit}"


def _age(obj: Mapping[str, Any], now: datetime) -> str:
    return human_duration(now - parse_stamp(obj["metadata"]["creationTimestamp"]))


def _plain_cells(obj: Mapping[str, Any], now: datetime) -> Cells:
    return [obj["metadata"]["name"], _age(obj, now)]


def _pod_cells(pod: Mapping[str, Any], now: datetime) -> Cells:
    spec, status = pod["spec"], pod.get("status") or {}
    containers = status.get("containerStatuses") or ()
    ready = sum(1 for each in containers if each["ready"] and "running" in each["state"])
    shown = (f"{ready}/{len(spec['containers'])}", pod_status(pod), _restarts(status, now), _age(pod, now))
    wide = (status.get("podIP") or _NONE, spec.get("nodeName") or _NONE, status.get("nominatedNodeName") or _NONE, _NONE)
    return [pod["metadata"]["name"], *shown, *wide]


def pod_status(pod: Mapping[str, Any]) -> str:
    """The value of the Status column: the phase, or the reason why a container does not run."""
    status = pod.get("status") or {}
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    shown = str(status.get("reason") or status.get("phase") or _UNKNOWN)
    if initializing := _initializing(status, len(pod["spec"].get("initContainers") or ())):
        return initializing
    for each in reversed(status.get("containerStatuses") or ()):
        state = each["state"]
        shown = str((state.get("waiting") or state.get("terminated") or {}).get("reason") or shown)
    return shown


def _initializing(status: Mapping[str, Any], count: int) -> str:
    for index, each in enumerate(status.get("initContainerStatuses") or ()):
        state = each["state"]
        if (state.get("terminated") or {}).get("exitCode") != 0:
            why = (state.get("waiting") or state.get("terminated") or {}).get("reason")
            return f"Init:{why}" if why and why != "PodInitializing" else f"Init:{index}/{count}"
    return ""


def _restarts(status: Mapping[str, Any], now: datetime) -> str:
    containers = status.get("containerStatuses") or ()
    count = sum(each["restartCount"] for each in containers)
    ends = [each["lastState"]["terminated"]["finishedAt"] for each in containers if "terminated" in (each.get("lastState") or {})]
    return f"{count} ({human_duration(now - parse_stamp(max(ends)))} ago)" if count and ends else str(count)


def _node_cells(node: Mapping[str, Any], now: datetime) -> Cells:
    status = node.get("status") or {}
    info = status.get("nodeInfo") or {}
    kernel = info.get("kernelVersion") or _UNKNOWN
    kernel += f" ({info['architecture']})" if info.get("architecture") else ""
    addresses = {each["type"]: each["address"] for each in reversed(status.get("addresses") or ())}
    wide = (addresses.get("InternalIP", _NONE), addresses.get("ExternalIP", _NONE), info.get("osImage") or _UNKNOWN, kernel)
    shown = (_node_status(node), _node_roles(node), _age(node, now), info.get("kubeletVersion", ""))
    return [node["metadata"]["name"], *shown, *wide, info.get("containerRuntimeVersion") or _UNKNOWN]


def _node_status(node: Mapping[str, Any]) -> str:
    ready = [each["status"] for each in (node.get("status") or {}).get("conditions") or () if each["type"] == "Ready"]
    shown = ("Ready" if ready[0] == "True" else "NotReady") if ready else "Unknown"
    return f"{shown},SchedulingDisabled" if (node.get("spec") or {}).get("unschedulable") else shown


def _node_roles(node: Mapping[str, Any]) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    return ",".join(sorted(key[len(prefix) :] for key in labels if key.startswith(prefix) and key != prefix)) or _NONE


def _daemon_set_cells(obj: Mapping[str, Any], now: datetime) -> Cells:
    status, template = obj.get("status") or {}, obj["spec"]["template"]["spec"]
    counts = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable")
    selector = _pairs(template.get("nodeSelector") or {})
    names = ",".join(each["name"] for each in template["containers"])
    images = ",".join(each.get("image", "") for each in template["containers"])
    wide = (names, images, _pairs(obj["spec"]["selector"].get("matchLabels") or {}))
    return [obj["metadata"]["name"], *(status.get(each, 0) for each in counts), selector, _age(obj, now), *wide]


def _pairs(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or _NONE


_PRINTERS: Mapping[Resource, tuple[tuple[Column, ...], Callable[[Mapping[str, Any], datetime], Cells]]] = {
    PODS: (_POD_COLUMNS, _pod_cells),
    NODES: (_NODE_COLUMNS, _node_cells),
    DAEMON_SETS: (_DAEMON_SET_COLUMNS, _daemon_set_cells),
}


def table(resource: Resource, objects: Sequence[Mapping[str, Any]], list_meta: Object, include: str, now: datetime) -> Object:
    """A `Table` of the objects; `include` (None, Metadata or Object) selects what each row contains besides its cells."""
    columns, cells = _PRINTERS.get(resource, (_PLAIN_COLUMNS, _plain_cells))
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_meta,
        "columnDefinitions": [_definition(each) for each in columns],
        "rows": [{"cells": cells(each, now), "object": _row_object(each, include)} for each in objects],
    }


def _definition(column: Column) -> Object:
    name, kind, priority, description = column
    return {"name": name, "type": kind, "format": "name" if name == "Name" else "", "description": description, "priority": priority}


def _row_object(obj: Mapping[str, Any], include: str) -> Mapping[str, Any] | None:
    if include == "None":
        return None
    return obj if include == "Object" else partial(obj)


def partial(obj: Mapping[str, Any]) -> Object:
    """Only the metadata of the object."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}
