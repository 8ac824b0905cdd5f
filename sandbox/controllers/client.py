"""The calls that a controller makes, and their implementation for the embedded store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sandbox.cluster.deletion import Preconditions
from sandbox.cluster.resources import NODES, PODS

if TYPE_CHECKING:
    from sandbox.cluster.object_store import ObjectStore
    from sandbox.cluster.resources import Resource

_REPORTED_BY_KUBELETS = frozenset({NODES, PODS})

View = Mapping[str, Any]
"""An object that must not be changed."""


class Client(Protocol):
    """The calls that a controller needs. A refusal is an `ApiError` with the status code of the API server."""

    def list(self, resource: Resource) -> Sequence[View]:
        """All objects of a kind, over all namespaces."""

    def create(self, resource: Resource, obj: Mapping[str, Any]) -> None:
        """Create an object in the namespace it names."""

    def patch(self, resource: Resource, name: str, namespace: str, patch: Mapping[str, Any]) -> None:
        """Merge patch."""

    def patch_status(self, resource: Resource, name: str, namespace: str, patch: Mapping[str, Any]) -> None:
        """Merge patch of the `/status` subresource."""

    def delete(self, resource: Resource, name: str, namespace: str, *, uid: str, grace_period_s: int | None) -> None:
        """Delete the object that has this uid."""

    def bind(self, pod: str, namespace: str, node: str) -> None:
        """Put a pod on a node."""

    def wait(self, seen: int, timeout_s: float) -> int:
        """Wait until something changed after revision `seen`, at most `timeout_s`; returns the current revision."""


@dataclass(frozen=True)
class StoreClient:
    """Calls the store of an embedded cluster directly, as one field manager."""

    store: ObjectStore
    manager: str

    def list(self, resource: Resource) -> Sequence[View]:
        return [each.obj for each in self.store.entries(resource)[0]]

    def create(self, resource: Resource, obj: Mapping[str, Any]) -> None:
        self.store.create(resource, obj, by=self.manager)

    def patch(self, resource: Resource, name: str, namespace: str, patch: Mapping[str, Any]) -> None:
        self.store.patch(resource, name, namespace, patch=patch, by=self.manager)

    def patch_status(self, resource: Resource, name: str, namespace: str, patch: Mapping[str, Any]) -> None:
        manager = "kubelet" if resource in _REPORTED_BY_KUBELETS else self.manager
        self.store.patch(resource, name, namespace, patch=patch, by=manager, subresource="status")

    def delete(self, resource: Resource, name: str, namespace: str, *, uid: str, grace_period_s: int | None) -> None:
        self.store.delete(resource, name, namespace, grace_period_s=grace_period_s, preconditions=Preconditions(uid=uid))

    def bind(self, pod: str, namespace: str, node: str) -> None:
        self.store.bind(pod, namespace, node)

    def wait(self, seen: int, timeout_s: float) -> int:
        return self.store.wait(seen, timeout_s)
