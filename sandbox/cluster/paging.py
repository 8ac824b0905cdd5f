"""Paged lists: every page shows the state that the first page saw.

Source: https://github.com/kubernetes/apiserver/blob/master/pkg/storage/continue.go
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.cluster.errors import bad_request, expired

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sandbox.cluster.object_store import ObjectStore
    from sandbox.cluster.object_table import Entry
    from sandbox.cluster.resources import Resource

_KEPT = 256  # snapshots hold references to entries and are cheap; etcd keeps five minutes of history
_LATEST = -1  # the revision in a token that was issued after its snapshot was dropped
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue "
    "parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided "
    "token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was "
    "returned and now may show up in the list."
)


@dataclass(frozen=True)
class Page:
    """Part of a list; `remaining` is None if a selector makes the count unknown."""

    entries: Sequence[Entry]
    revision: int
    continue_token: str = ""
    remaining: int | None = None

    def list_meta(self) -> dict[str, Any]:
        meta: dict[str, Any] = {"resourceVersion": str(self.revision)}
        if self.continue_token:
            meta["continue"] = self.continue_token
        if self.continue_token and self.remaining is not None:
            meta["remainingItemCount"] = self.remaining
        return meta


class Pager:
    """Keeps the snapshots of paged lists."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[Resource, str, int], Sequence[Entry]] = OrderedDict()

    def expire(self) -> None:
        """Drop every snapshot, as an etcd compaction does: tokens issued so far answer 410."""
        with self._lock:
            self._seen.clear()

    def page(
        self, resource: Resource, namespace: str, *, limit: int, token: str, matches: Callable[[Mapping[str, Any]], bool] | None
    ) -> Page:
        """The matching objects after `token`, at most `limit` of them (0: all).

        Raises:
            ApiError: 400 for an invalid token, 410 for a token whose snapshot was dropped.
        """
        entries, revision, start = self._state(resource, namespace, token)
        remaining = [each for each in entries if _key(each) >= start] if start else entries
        found = [each for each in remaining if matches(each.obj)] if matches else list(remaining)
        if not limit or len(found) <= limit:
            return Page(found, revision)
        self._keep(resource, namespace, revision, entries)
        following = _encode(revision, _key(found[limit - 1]) + "\0")
        return Page(found[:limit], revision, following, None if matches else len(found) - limit)

    def _state(self, resource: Resource, namespace: str, token: str) -> tuple[Sequence[Entry], int, str]:
        if not token:
            return *self._store.entries(resource, namespace), ""
        revision, start = _decode(token)
        if revision == _LATEST:
            return *self._store.entries(resource, namespace), start
        with self._lock:
            entries = self._seen.get((resource, namespace, revision))
        if entries is None:
            raise expired(_TOO_OLD, _encode(_LATEST, start))
        return entries, revision, start

    def _keep(self, resource: Resource, namespace: str, revision: int, entries: Sequence[Entry]) -> None:
        with self._lock:
            self._seen[(resource, namespace, revision)] = entries
            while len(self._seen) > _KEPT:
                self._seen.popitem(last=False)


def _key(entry: Entry) -> str:
    metadata = entry.obj["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


def _encode(revision: int, start: str) -> str:
    token = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def _decode(token: str) -> tuple[int, str]:
    try:
        found = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(found["rv"]), str(found["start"])
    except (binascii.Error, ValueError, KeyError, TypeError) as unreadable:
        raise bad_request(f"invalid continue token: continue key is not valid: {unreadable}") from unreadable
