"""Server-side apply: merge a manifest into the live object, and remove fields that the manager no longer applies.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.cluster.errors import apply_conflict
from sandbox.cluster.managed_fields import (
    FieldWriter,
    Path,
    applied_paths,
    dotted,
    entry_of,
    in_order,
    leaves,
    paths_of,
    without,
    writer_of,
)
from sandbox.cluster.patches import strategic_merge

if TYPE_CHECKING:
    from collections.abc import Mapping


def applied(live: Mapping[str, Any], manifest: Mapping[str, Any], writer: FieldWriter, *, force: bool, now: str) -> dict[str, Any]:
    """The live object after `writer` applied the manifest.

    Raises:
        ApiError: 409 with the fields that other managers hold at other values, unless `force`.
    """
    wanted, present = leaves(manifest), leaves(live)
    entries = list(live["metadata"].get("managedFields", ()))
    theirs = {path for entry in entries if writer_of(entry) != writer for path in paths_of(entry["fieldsV1"])}
    disputed = {path for path in wanted.keys() & theirs if path[-1] != "." and present.get(path) != wanted[path]}
    if disputed and not force:
        raise apply_conflict(_causes(entries, writer, disputed))
    merged: dict[str, Any] = strategic_merge(copy.deepcopy(dict(live)), dict(manifest))
    for path in sorted(_owned(entries, writer) - wanted.keys() - theirs, key=len, reverse=True):
        _remove(merged, path)
    mine = entry_of(writer, applied_paths(manifest), str(manifest["apiVersion"]), now)
    merged["metadata"]["managedFields"] = _entries(entries, mine, disputed)
    return merged


def _owned(entries: list[Any], writer: FieldWriter) -> set[Path]:
    return {path for entry in entries if writer_of(entry) == writer for path in paths_of(entry["fieldsV1"])}


def _causes(entries: list[Any], writer: FieldWriter, disputed: set[Path]) -> list[tuple[str, str]]:
    return [
        (entry["manager"], dotted(path))
        for entry in entries
        if writer_of(entry) != writer
        for path in sorted(paths_of(entry["fieldsV1"]) & disputed)
    ]


def _entries(entries: list[Any], mine: dict[str, Any], taken: set[Path]) -> list[Any]:
    """All entries after the apply; an unchanged entry of the writer keeps its time, so that a repeated apply changes nothing."""
    before = next((entry for entry in entries if writer_of(entry) == writer_of(mine)), mine)
    own_entry = before if before["fieldsV1"] == mine["fieldsV1"] else mine
    others = [without(entry, taken) for entry in entries if writer_of(entry) != writer_of(mine)]
    return in_order([entry for entry in (own_entry, *others) if entry["fieldsV1"]])


def _remove(obj: Any, path: Path) -> None:
    """Remove one leaf, or (last step `.`) an empty container."""
    *way, last = path
    if last == ".":
        *way, last = way
        if not _is_empty(_reach(obj, (*way, last))):
            return
    parent = _reach(obj, tuple(way))
    if isinstance(parent, dict) and last.startswith("f:"):
        parent.pop(last[2:], None)
    elif isinstance(parent, list) and (item := _reach(parent, (last,))) is not None:
        parent.remove(item)


def _is_empty(value: Any) -> bool:
    return value is not None and not value


def _reach(obj: Any, path: Path) -> Any:
    for step in path:
        if step.startswith("f:") and isinstance(obj, dict):
            obj = obj.get(step[2:])
        elif step.startswith("k:") and isinstance(obj, list):
            key_fields = orjson.loads(step[2:]).items()
            obj = next((item for item in obj if key_fields <= item.items()), None)
        else:
            return None
    return obj
