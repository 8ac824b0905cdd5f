"""The stored objects by kind and key. Each write has its own revision and wakes the waiting readers."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.cluster import errors
from sandbox.cluster.deletion import is_removable
from sandbox.cluster.event_versions import from_stored
from sandbox.cluster.resources import Object, Resource
from sandbox.cluster.selectors import parse_fields, parse_labels
from sandbox.cluster.write_preparation import drop_empty

if TYPE_CHECKING:
    from collections.abc import Mapping

Key = tuple[str, str]
"""Namespace (empty for cluster-scoped kinds) and name."""

Objects = list[Object]
Entries = list["Entry"]


@dataclass(frozen=True)
class Entry:
    """One stored object. It is replaced, never changed, so readers need no copy."""

    obj: Mapping[str, Any]
    raw: bytes

    @property
    def item(self) -> bytes:
        """The object as an item of a list: without `kind` and `apiVersion`."""
        return b"{" + self.raw[self.raw.index(b'"metadata":') :]


class ObjectTable:
    """The read methods of the store; `ObjectStore` adds the writes."""

    def __init__(self) -> None:
        self.revision = 1
        self._objects: dict[Resource, dict[Key, Entry]] = {}
        self._last_write: dict[Resource, int] = {}
        self._changed = threading.Condition(threading.RLock())

    def get(self, resource: Resource, name: str, namespace: str = "") -> Object:
        return from_stored(orjson.loads(self.entry(resource, name, namespace).raw), resource)

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        """Like `get`, but None if the object does not exist."""
        found = self._table(resource).get((namespace, name))
        return from_stored(orjson.loads(found.raw), resource) if found else None

    def list(self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = "") -> Objects:
        """Objects ordered by namespace and name; an empty namespace means all."""
        by_label, by_field = parse_labels(labels), parse_fields(fields, resource)
        found, _ = self.entries(resource, namespace)
        return [from_stored(orjson.loads(each.raw), resource) for each in found if by_label(each.obj) and by_field(each.obj)]

    def entry(self, resource: Resource, name: str, namespace: str = "") -> Entry:
        """The stored object itself, which must not be changed."""
        found = self._table(resource).get((namespace, name))
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def entries(self, resource: Resource, namespace: str = "") -> tuple[Entries, int]:
        """The stored objects in order, which must not be changed, and their revision."""
        with self._changed:
            table = self._table(resource)
            return [table[key] for key in sorted(table) if namespace in ("", key[0])], self.revision

    def last_write(self, *resources: Resource) -> int:
        """The revision of the latest write to any of these kinds."""
        return max(self._last_write.get(each.storage, 0) for each in resources)

    def wait(self, seen: int, timeout_s: float) -> int:
        """Wait for a write after revision `seen`; returns the current revision."""
        with self._changed:
            self._changed.wait_for(lambda: self.revision > seen, timeout_s)
            return self.revision

    def _table(self, resource: Resource) -> dict[Key, Entry]:
        return self._objects.setdefault(resource.storage, {})

    def _put(self, resource: Resource, made: Object, dry_run: bool) -> Object:
        """Store an object as the next revision; returns a copy of it."""
        metadata, table = made["metadata"], self._table(resource)
        drop_empty(metadata)
        if not dry_run:
            self.revision += 1
            self._last_write[resource.storage] = self.revision
            metadata["resourceVersion"] = str(self.revision)
        obj = {"kind": made["kind"], "apiVersion": made["apiVersion"], "metadata": metadata} | made
        entry = Entry(obj, orjson.dumps(obj))
        if not dry_run:
            key = (metadata.get("namespace", ""), metadata["name"])
            if is_removable(metadata):
                table.pop(key, None)
            else:
                table[key] = entry
            self._changed.notify_all()
        return from_stored(orjson.loads(entry.raw), resource)

    def _remove(self, resource: Resource, entry: Entry, key: Key, dry_run: bool) -> Object:
        if not dry_run:
            self.revision += 1
            self._last_write[resource.storage] = self.revision
            del self._table(resource)[key]
            self._changed.notify_all()
        return from_stored(orjson.loads(entry.raw), resource)
