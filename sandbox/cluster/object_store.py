"""The verbs of the API server over the stored objects; thread-safe, with the same semantics as over HTTPS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.cluster import errors, patches
from sandbox.cluster.clock import stamp, utc_now
from sandbox.cluster.deletion import Preconditions, check_preconditions, grace_s, marked_deleted
from sandbox.cluster.event_versions import from_stored, to_stored
from sandbox.cluster.managed_fields import FieldWriter, after_update, first_entries
from sandbox.cluster.object_table import Key, ObjectTable
from sandbox.cluster.resources import NAMESPACES, PODS, Object, Resource
from sandbox.cluster.server_side_apply import applied
from sandbox.cluster.write_preparation import drop_empty, prepared_for_create, prepared_for_update

if TYPE_CHECKING:
    from datetime import datetime

Admission = Callable[[Object, str], Object]
"""(new object, its namespace) -> the object to store; may refuse with an `ApiError`."""

Change = Callable[[Mapping[str, Any]], Object]

SANDBOX_WRITER = FieldWriter("sandbox")

PATCHES: Mapping[str, Callable[[Any, Any], Any]] = {
    "application/merge-patch+json": patches.merge_patch,
    "application/strategic-merge-patch+json": patches.strategic_merge,
    "application/json-patch+json": patches.json_patch,
}
MERGE = "application/merge-patch+json"


@dataclass
class ObjectStore(ObjectTable):
    """All objects of a cluster, and the verbs that write them.

    Every method takes and returns whole objects as JSON; the caller owns what is returned.
    A `FieldWriter`, or the name of a field manager, identifies the writer.
    Raises `ApiError` as the API server would answer: 404, 409, 422.
    """

    now: Callable[[], datetime] = utc_now
    admission: dict[Resource, Admission] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def create(
        self,
        resource: Resource,
        obj: Mapping[str, Any],
        namespace: str = "",
        *,
        by: FieldWriter | str = SANDBOX_WRITER,
        dry_run: bool = False,
    ) -> Object:
        """Create an object; without a namespace argument, the namespace of the object is used."""
        namespace = (namespace or str((obj.get("metadata") or {}).get("namespace") or "default")) if resource.namespaced else ""
        self._check_namespace(namespace)
        obj_to_store = prepared_for_create(to_stored(_own(obj), resource), resource.storage, namespace, self._stamp())
        # Fields that admission adds have no owner.
        obj_to_store["metadata"]["managedFields"] = first_entries(obj, obj_to_store, _writer(by), self._stamp())
        if hook := self.admission.get(resource.storage):
            obj_to_store = hook(obj_to_store, namespace)
        with self._changed:
            if (namespace, obj_to_store["metadata"]["name"]) in self._table(resource):
                raise errors.already_exists(resource, obj_to_store["metadata"]["name"])
            return self._put(resource, obj_to_store, dry_run)

    def update(
        self,
        resource: Resource,
        obj: Mapping[str, Any],
        *,
        by: FieldWriter | str = SANDBOX_WRITER,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Replace an object; a resource version in it must be the current one."""
        metadata = obj["metadata"]
        namespace = metadata.get("namespace", "") if resource.namespaced else ""
        return self._change(
            resource, (namespace, metadata["name"]), lambda _: to_stored(_own(obj), resource), _writer(by, subresource), dry_run
        )

    def patch(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        patch: Any,
        content_type: str = MERGE,
        by: FieldWriter | str = SANDBOX_WRITER,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Patch an object, by merge patch unless `content_type` says otherwise."""

        def patched(old: Mapping[str, Any]) -> Object:
            made = PATCHES[content_type](from_stored(old, resource), _own(patch))
            if not isinstance(made, dict):
                raise errors.bad_request("error decoding patch: the patch is no object")
            return to_stored(made, resource)

        return self._change(resource, (namespace, name), patched, _writer(by, subresource), dry_run)

    def apply(
        self,
        resource: Resource,
        manifest: Mapping[str, Any],
        *,
        by: FieldWriter | str,
        force: bool = True,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply: the manager owns the fields of its manifest, and fields that it no longer applies are removed.

        A manifest with a UID does not create an object.
        Source: https://github.com/kubernetes/apiserver/blob/v0.36.1/pkg/endpoints/handlers/patch.go (applyPatchToCurrentObject)
        """
        metadata = manifest["metadata"]
        namespace = str(metadata.get("namespace") or "default") if resource.namespaced else ""
        writer = replace(_writer(by, subresource), operation="Apply")
        if self.find(resource, metadata["name"], namespace) is None:
            if uid := metadata.get("uid"):
                cause = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                raise errors.conflict(resource, metadata["name"], cause)
            return self.create(resource, manifest, namespace, by=writer, dry_run=dry_run)

        def merged(old: Mapping[str, Any]) -> Object:
            return applied(old, to_stored(_own(manifest), resource), writer, force=force, now=self._stamp())

        return self._change(resource, (namespace, metadata["name"]), merged, writer, dry_run)

    def bind(self, pod: str, namespace: str, node: str) -> None:
        """Bind a pod to a node, as the scheduler does through the `binding` subresource."""

        def bound(old: Mapping[str, Any]) -> Object:
            return {**old, "spec": {**old["spec"], "nodeName": node}}

        self._change(PODS, (namespace, pod), bound, FieldWriter("kube-scheduler"), False)

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        grace_period_s: int | None = None,
        preconditions: Preconditions | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Delete an object and return its last state.

        A running pod is only marked, because its kubelet ends it; so is an object with finalizers, until they are removed.
        A namespace is deleted with everything in it.
        """
        with self._changed:
            entry = self.entry(resource, name, namespace)
            check_preconditions(entry.obj, preconditions or Preconditions(), resource)
            if resource is not PODS and not entry.obj["metadata"].get("finalizers"):
                if resource is NAMESPACES and not dry_run:
                    self._empty(name)
                return self._remove(resource, entry, (namespace, name), dry_run)
            marked = marked_deleted(dict(entry.obj), grace_s(entry.obj, grace_period_s) if resource is PODS else 0, self.now())
            return self._put(resource, marked, dry_run or marked == entry.obj)

    def _empty(self, namespace: str) -> None:
        """Remove what a namespace holds, at once. A real namespace stays `Terminating` until its controller has done so."""
        for kind, table in list(self._objects.items()):
            for key in [key for key in table if key[0] == namespace]:
                self._remove(kind, table[key], key, dry_run=False)

    def _stamp(self) -> str:
        return stamp(self.now())

    def _check_namespace(self, namespace: str) -> None:
        if namespace and ("", namespace) not in self._table(NAMESPACES):
            raise errors.not_found(NAMESPACES, namespace)

    def _change(self, resource: Resource, key: Key, change: Change, writer: FieldWriter, dry_run: bool) -> Object:
        with self._changed:
            old = self.entry(resource, key[1], key[0]).obj
            updated = prepared_for_update(old, change(old), resource.storage, writer.subresource)
            if writer.operation == "Update":
                entries = updated["metadata"].get("managedFields", old["metadata"].get("managedFields", []))
                updated["metadata"]["managedFields"] = after_update(old, updated, entries, writer, self._stamp())
            drop_empty(updated["metadata"])
            return self._put(resource, updated, dry_run or updated == old)


def _own(given: Any) -> Any:
    """A copy, because the caller may change its argument."""
    return orjson.loads(orjson.dumps(given))


def _writer(by: FieldWriter | str, subresource: str = "") -> FieldWriter:
    return replace(by, subresource=subresource) if isinstance(by, FieldWriter) else FieldWriter(by, "Update", subresource)
