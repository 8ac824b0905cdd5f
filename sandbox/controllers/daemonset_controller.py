"""The DaemonSet controller: one pod on each eligible node, replaced in a rolling update.

Source: https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/daemon/daemon_controller.go, update.go
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sandbox.cluster.resources import CONTROLLER_REVISIONS, DAEMON_SETS, PODS
from sandbox.cluster.write_preparation import TEMPLATE_GENERATION
from sandbox.controllers.api_changes import Change, Create, delete, patch_status
from sandbox.controllers.cluster_snapshot import ClusterSnapshot, is_ready, is_terminating, owner_reference
from sandbox.controllers.node_fit import DAEMON_TOLERATIONS, fits
from sandbox.controllers.pod_template import pod_from, template_hash

if TYPE_CHECKING:
    from sandbox.controllers.client import View

HASH = "controller-revision-hash"
PodsByNode = Mapping[str, Sequence["View"]]


def step(snapshot: ClusterSnapshot, _now_s: float) -> Iterator[Change]:
    """One round of the controller over all DaemonSets."""
    revisions = {each["metadata"]["name"] for each in snapshot.of(CONTROLLER_REVISIONS)}
    for daemon_set in snapshot.of(DAEMON_SETS):
        if not is_terminating(daemon_set):
            yield from reconcile(
                daemon_set, list(snapshot.nodes.values()), snapshot.pods_by_owner.get(daemon_set["metadata"]["uid"], ()), revisions
            )


def reconcile(daemon_set: View, nodes: Sequence[View], pods: Sequence[View], revisions: set[str]) -> Iterator[Change]:
    """The changes for one DaemonSet.

    Args:
        pods: pods of the DaemonSet, oldest first.
        revisions: names of the existing ControllerRevisions.
    """
    revision = template_hash(daemon_set["spec"]["template"])
    if f"{daemon_set['metadata']['name']}-{revision}" not in revisions:
        yield Create(CONTROLLER_REVISIONS, _controller_revision(daemon_set, revision))
    eligible = [node for node in nodes if should_run(daemon_set, node)]
    by_node: dict[str, list[View]] = defaultdict(list)
    for pod in pods:
        by_node[pod["spec"].get("nodeName", "")].append(pod)
    placed = list(_place(daemon_set, eligible, by_node, revision))
    yield from placed
    if not placed and daemon_set["spec"]["updateStrategy"]["type"] == "RollingUpdate":
        yield from (delete(PODS, each) for each in to_replace(daemon_set, by_node, len(eligible), revision))
    yield from _status(daemon_set, eligible, by_node, revision)


def should_run(daemon_set: View, node: View) -> bool:
    spec = daemon_set["spec"]["template"]["spec"]
    return fits({**spec, "tolerations": [*(spec.get("tolerations") or ()), *DAEMON_TOLERATIONS]}, node)


def _place(daemon_set: View, eligible: Sequence[View], by_node: PodsByNode, revision: str) -> Iterator[Change]:
    """Create a pod on each node without one, and delete surplus pods. A terminating pod still occupies its node."""
    names = {node["metadata"]["name"] for node in eligible}
    for name in names - by_node.keys():
        yield Create(PODS, _pod(daemon_set, name, revision))
    for name, pods in by_node.items():
        running = [pod for pod in pods if not is_terminating(pod)]
        failed = [pod for pod in running if pod["status"].get("phase") == "Failed"]
        spare = [pod for pod in running if pod not in failed][1:]
        yield from (delete(PODS, pod) for pod in (running if name not in names else [*failed, *spare]))


def _pod(daemon_set: View, node: str, revision: str) -> dict[str, Any]:
    """A pod for one node, bound at once: the scheduler has no choice for a DaemonSet pod."""
    generation = (daemon_set["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "1")
    pod = pod_from(daemon_set, DAEMON_SETS, {HASH: revision, "pod-template-generation": generation})
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    pod["spec"] |= {
        "nodeName": node,
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}},
        "tolerations": [*(pod["spec"].get("tolerations") or ()), *DAEMON_TOLERATIONS],
    }
    return pod


def to_replace(daemon_set: View, by_node: PodsByNode, desired: int, revision: str) -> list[View]:
    """Pods of the old template to delete now: all that are not ready, and ready ones within `maxUnavailable`."""
    missing = 0
    broken: list[View] = []
    working: list[View] = []
    for pods in by_node.values():
        live = [pod for pod in pods if not is_terminating(pod)]
        new = [pod for pod in live if pod["metadata"]["labels"].get(HASH) == revision]
        old = [pod for pod in live if pod not in new]
        if bool(new) is bool(old):
            missing += 1
        elif new:
            missing += not is_ready(new[0])
        else:
            (working if is_ready(old[0]) else broken).append(old[0])
    room = max(max_unavailable(daemon_set, desired) - missing, 0)
    return [*broken, *working[:room]]


def max_unavailable(daemon_set: View, desired: int) -> int:
    """How many pods may be unavailable during an update; a percentage is rounded up, and the minimum is 1."""
    wanted = daemon_set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"]
    if isinstance(wanted, str):
        wanted = math.ceil(desired * int(wanted.rstrip("%")) / 100)
    return max(int(wanted), 1)


def _status(daemon_set: View, eligible: Sequence[View], by_node: PodsByNode, revision: str) -> Iterator[Change]:
    names = {node["metadata"]["name"] for node in eligible}
    first = [by_node[name][0] for name in names if by_node.get(name)]
    ready = sum(is_ready(pod) for pod in first)
    updated = sum(pod["metadata"]["labels"].get(HASH) == revision for pod in first)
    # The API server omits these fields when they are 0.
    sparse = {"updatedNumberScheduled": updated, "numberAvailable": ready, "numberUnavailable": len(names) - ready}
    status = {
        "desiredNumberScheduled": len(names),
        "currentNumberScheduled": len(first),
        "numberMisscheduled": sum(1 for name, pods in by_node.items() if pods and name not in names),
        "numberReady": ready,
        "observedGeneration": daemon_set["metadata"]["generation"],
    } | {key: value or None for key, value in sparse.items()}
    now = daemon_set.get("status") or {}
    if any(now.get(key) != value for key, value in status.items()):
        yield patch_status(DAEMON_SETS, daemon_set, status)


def _controller_revision(daemon_set: View, revision: str) -> dict[str, Any]:
    metadata = daemon_set["metadata"]
    return {
        "metadata": {
            "name": f"{metadata['name']}-{revision}",
            "namespace": metadata["namespace"],
            "labels": {**(daemon_set["spec"]["template"]["metadata"].get("labels") or {}), HASH: revision},
            "ownerReferences": [owner_reference(daemon_set, DAEMON_SETS)],
        },
        "data": {"spec": {"template": {**daemon_set["spec"]["template"], "$patch": "replace"}}},
        "revision": metadata["generation"],
    }
