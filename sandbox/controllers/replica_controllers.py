"""Deployments (through ReplicaSets) and StatefulSets, as far as a restart needs them.

Source: https://github.com/kubernetes/kubernetes/tree/master/pkg/controller (deployment, replicaset, statefulset)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sandbox.cluster.resources import DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS, Resource
from sandbox.controllers.api_changes import Change, Create, delete, patch, patch_status
from sandbox.controllers.cluster_snapshot import ClusterSnapshot, is_ready, is_terminating, owner_reference
from sandbox.controllers.pod_template import pod_from, template_hash

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.controllers.client import View

HASH = "pod-template-hash"
_REVISION = "controller-revision-hash"


def step(snapshot: ClusterSnapshot, _now_s: float) -> Iterator[Change]:
    """One round over all Deployments, ReplicaSets and StatefulSets."""
    for each in snapshot.of(DEPLOYMENTS):
        owned = snapshot.replica_sets_by_owner.get(each["metadata"]["uid"], ())
        pods = [pod for owner in owned for pod in snapshot.pods_by_owner.get(owner["metadata"]["uid"], ())]
        yield from reconcile_deployment(each, owned, pods)
    for each in snapshot.of(REPLICA_SETS):
        yield from reconcile_replica_set(each, snapshot.pods_by_owner.get(each["metadata"]["uid"], ()))
    for each in snapshot.of(STATEFUL_SETS):
        yield from reconcile_stateful_set(each, snapshot.pods_by_owner.get(each["metadata"]["uid"], ()))


def reconcile_deployment(deployment: View, owned: Sequence[View], pods: Sequence[View]) -> Iterator[Change]:
    """Move replicas from the old ReplicaSets to the ReplicaSet of the current template, within `maxSurge` and `maxUnavailable`."""
    wanted, revision = deployment["spec"]["replicas"], template_hash(deployment["spec"]["template"])
    new = next((each for each in owned if each["metadata"]["labels"][HASH] == revision), None)
    old = [each for each in owned if each is not new and each["spec"]["replicas"]]
    if new is None:
        yield Create(REPLICA_SETS, _replica_set(deployment, revision, 0 if old else wanted))
    else:
        yield from _shift(deployment, new, old, pods)
    yield from _status(DEPLOYMENTS, deployment, pods, HASH, revision)


def _shift(deployment: View, new: View, old: Sequence[View], pods: Sequence[View]) -> Iterator[Change]:
    wanted, rolling = deployment["spec"]["replicas"], deployment["spec"]["strategy"]["rollingUpdate"]
    surge = share(rolling["maxSurge"], wanted, up=True)
    missing = share(rolling["maxUnavailable"], wanted, up=False) or (0 if surge else 1)
    total = new["spec"]["replicas"] + sum(each["spec"]["replicas"] for each in old)
    grown = min(wanted, new["spec"]["replicas"] + max(wanted + surge - total, 0))
    if grown != new["spec"]["replicas"]:
        yield patch(REPLICA_SETS, new, {"spec": {"replicas": grown}})
    ready = sum(is_ready(pod) and not is_terminating(pod) for pod in pods)
    # Requested pods that are not ready count as unavailable, so that an update waits for them.
    room = min(ready - (wanted - missing), total - (wanted - missing))
    for each in old:
        taken = min(max(room, 0), each["spec"]["replicas"])
        room -= taken
        if taken:
            yield patch(REPLICA_SETS, each, {"spec": {"replicas": each["spec"]["replicas"] - taken}})


def share(wanted: int | str, of: int, *, up: bool) -> int:
    """A number of pods, or a percentage of them rounded up or down."""
    if isinstance(wanted, int):
        return wanted
    exact = of * int(wanted.rstrip("%")) / 100
    return math.ceil(exact) if up else math.floor(exact)


def _replica_set(deployment: View, revision: str, replicas: int) -> dict[str, Any]:
    metadata, spec = deployment["metadata"], deployment["spec"]
    template = spec["template"]
    labels = {**(template["metadata"].get("labels") or {}), HASH: revision}
    selector = {"matchLabels": {**(spec["selector"].get("matchLabels") or {}), HASH: revision}}
    return {
        "metadata": {
            "name": f"{metadata['name']}-{revision}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": [owner_reference(deployment, DEPLOYMENTS)],
        },
        "spec": {
            "replicas": replicas,
            "selector": selector,
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }


def reconcile_replica_set(replica_set: View, pods: Sequence[View]) -> Iterator[Change]:
    """Create or delete pods up to the wanted number; pods that are not ready are deleted first."""
    live = sorted((pod for pod in pods if not is_terminating(pod)), key=is_ready)
    wanted = replica_set["spec"]["replicas"]
    yield from (Create(PODS, pod_from(replica_set, REPLICA_SETS, {})) for _ in range(wanted - len(live)))
    yield from (delete(PODS, pod) for pod in live[: max(len(live) - wanted, 0)])
    yield from _status(REPLICA_SETS, replica_set, pods, "", "")


def reconcile_stateful_set(stateful_set: View, pods: Sequence[View]) -> Iterator[Change]:
    """Pods with ordinal names: created from the first, replaced from the last, one at a time."""
    name, wanted = stateful_set["metadata"]["name"], stateful_set["spec"]["replicas"]
    revision = f"{name}-{template_hash(stateful_set['spec']['template'])}"
    by_name = {pod["metadata"]["name"]: pod for pod in pods}
    yield from _next_ordinal(stateful_set, by_name, [f"{name}-{index}" for index in range(wanted)], revision)
    yield from _status(STATEFUL_SETS, stateful_set, pods, _REVISION, revision)


def _next_ordinal(stateful_set: View, by_name: dict[str, View], names: Sequence[str], revision: str) -> Iterator[Change]:
    yield from (delete(PODS, pod) for name, pod in by_name.items() if name not in names and not is_terminating(pod))
    for name in names:
        if name not in by_name:
            labels = {_REVISION: revision, "statefulset.kubernetes.io/pod-name": name}
            yield Create(PODS, pod_from(stateful_set, STATEFUL_SETS, labels, name))
            return
        if not is_ready(by_name[name]):
            break
    outdated = [
        by_name[name] for name in reversed(names) if name in by_name and by_name[name]["metadata"]["labels"].get(_REVISION) != revision
    ]
    if outdated and not any(is_terminating(pod) for pod in by_name.values()) and _may_go(outdated[0], by_name):
        yield delete(PODS, outdated[0])


def _may_go(pod: View, by_name: dict[str, View]) -> bool:
    return all(is_ready(each) for each in by_name.values() if each is not pod)


def _status(resource: Resource, obj: View, pods: Sequence[View], label: str, revision: str) -> Iterator[Change]:
    live = [pod for pod in pods if not is_terminating(pod)]
    ready = sum(is_ready(pod) for pod in live)
    updated = sum(pod["metadata"]["labels"].get(label) == revision for pod in live)
    # The API server omits these fields when they are 0.
    sparse = {"readyReplicas": ready, "availableReplicas": ready}
    if label:
        sparse["updatedReplicas"] = updated
    if resource is DEPLOYMENTS:
        sparse["unavailableReplicas"] = max(obj["spec"]["replicas"] - ready, 0)
    status = {"replicas": len(live), "observedGeneration": obj["metadata"]["generation"]} | {
        key: value or None for key, value in sparse.items()
    }
    now = obj.get("status") or {}
    if any(now.get(key) != value for key, value in status.items()):
        yield patch_status(resource, obj, status)
