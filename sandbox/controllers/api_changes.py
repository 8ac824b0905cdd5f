"""The changes that a controller wants, as data, and their execution through a client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from sandbox.cluster.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.cluster.resources import Resource
    from sandbox.controllers.client import Client


@dataclass(frozen=True)
class Create:
    resource: Resource
    obj: Mapping[str, Any]


@dataclass(frozen=True)
class Patch:
    """A merge patch of the object itself."""

    resource: Resource
    name: str
    namespace: str
    patch: Mapping[str, Any]


@dataclass(frozen=True)
class PatchStatus:
    """A merge patch of the status."""

    resource: Resource
    name: str
    namespace: str
    status: Mapping[str, Any]


@dataclass(frozen=True)
class Delete:
    """Deletion of one certain object; grace in seconds, None for what the object itself says."""

    resource: Resource
    name: str
    namespace: str
    uid: str
    grace_period_s: int | None = None


@dataclass(frozen=True)
class Bind:
    """A pod is put on a node."""

    name: str
    namespace: str
    node: str


@dataclass(frozen=True)
class WakeAt:
    """Nothing to do before this monotonic time, in seconds."""

    at_s: float


Change = Create | Patch | PatchStatus | Delete | Bind | WakeAt

# The object changed after the snapshot was read; the next round of the controller decides again.
_OUTDATED = frozenset({404, 409})


def apply_change(change: Change, client: Client) -> None:
    """Apply a change.

    Raises:
        ApiError: refused, unless the object changed, was deleted or exists already.
    """
    try:
        _call(change, client)
    except ApiError as refused:
        if refused.code not in _OUTDATED:
            raise


def _call(change: Change, client: Client) -> None:
    match change:
        case Create(resource, obj):
            client.create(resource, obj)
        case Patch(resource, name, namespace, patch):
            client.patch(resource, name, namespace, patch)
        case PatchStatus(resource, name, namespace, status):
            client.patch_status(resource, name, namespace, {"status": status})
        case Delete(resource, name, namespace, uid, grace):
            client.delete(resource, name, namespace, uid=uid, grace_period_s=grace)
        case Bind(name, namespace, node):
            client.bind(name, namespace, node)
        case WakeAt():
            pass
        case _:
            assert_never(change)


def delete(resource: Resource, obj: Mapping[str, Any], grace_period_s: int | None = None) -> Delete:
    """The deletion of this object, checked by its uid."""
    metadata = obj["metadata"]
    return Delete(resource, metadata["name"], metadata.get("namespace", ""), metadata["uid"], grace_period_s)


def patch_status(resource: Resource, obj: Mapping[str, Any], status: Mapping[str, Any]) -> PatchStatus:
    metadata = obj["metadata"]
    return PatchStatus(resource, metadata["name"], metadata.get("namespace", ""), status)


def patch(resource: Resource, obj: Mapping[str, Any], change: Mapping[str, Any]) -> Patch:
    metadata = obj["metadata"]
    return Patch(resource, metadata["name"], metadata.get("namespace", ""), change)
