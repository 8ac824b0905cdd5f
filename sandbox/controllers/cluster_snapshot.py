"""A snapshot of a cluster that every controller decides on."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sandbox.cluster.resources import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    NODES,
    PODS,
    REPLICA_SETS,
    SERVICE_ACCOUNTS,
    STATEFUL_SETS,
    Resource,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.controllers.client import Client, View

SNAPSHOT_RESOURCES = (NODES, PODS, DAEMON_SETS, DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, CONTROLLER_REVISIONS, SERVICE_ACCOUNTS)


@dataclass(frozen=True)
class ClusterSnapshot:
    """Objects by kind, which must not be changed."""

    objects: Mapping[Resource, Sequence[View]]

    def of(self, resource: Resource) -> Sequence[View]:
        return self.objects.get(resource, ())

    @cached_property
    def nodes(self) -> Mapping[str, View]:
        """By name."""
        return {each["metadata"]["name"]: each for each in self.of(NODES)}

    @cached_property
    def pods_by_owner(self) -> Mapping[str, Sequence[View]]:
        """uid of the controller -> its pods, oldest first."""
        return _by_owner(self.of(PODS))

    @cached_property
    def replica_sets_by_owner(self) -> Mapping[str, Sequence[View]]:
        return _by_owner(self.of(REPLICA_SETS))

    @cached_property
    def pods_by_node(self) -> Mapping[str, Sequence[View]]:
        found: dict[str, list[View]] = defaultdict(list)
        for pod in self.of(PODS):
            found[pod["spec"].get("nodeName", "")].append(pod)
        return found


def read_snapshot(client: Client) -> ClusterSnapshot:
    """Read everything that the controllers decide on."""
    return ClusterSnapshot({resource: client.list(resource) for resource in SNAPSHOT_RESOURCES})


def _by_owner(objects: Sequence[View]) -> Mapping[str, Sequence[View]]:
    found: dict[str, list[View]] = defaultdict(list)
    for each in objects:
        if owner := controller_of(each):
            found[owner["uid"]].append(each)
    for owned in found.values():
        owned.sort(key=lambda each: (each["metadata"]["creationTimestamp"], int(each["metadata"]["resourceVersion"])))
    return found


def controller_of(obj: View) -> Mapping[str, Any] | None:
    """The owner reference of the controller."""
    return next((each for each in obj["metadata"].get("ownerReferences") or () if each.get("controller")), None)


def owner_reference(owner: View, resource: Resource) -> dict[str, Any]:
    metadata = owner["metadata"]
    named = {"apiVersion": resource.api_version, "kind": resource.kind, "name": metadata["name"], "uid": metadata["uid"]}
    return named | {"controller": True, "blockOwnerDeletion": True}


def is_terminating(obj: View) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def condition(obj: View, kind: str) -> Mapping[str, Any]:
    """A condition of the status, empty if it is absent."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), {})


def is_ready(obj: View) -> bool:
    """Whether a pod or a node is ready."""
    return condition(obj, "Ready").get("status") == "True"
