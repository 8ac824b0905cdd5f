"""Field ownership: `metadata.managedFields`, at the granularity of single keys.

Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.cluster.patches import merge_key

Path = tuple[str, ...]
"""Steps `f:name` (a field), `k:{...}` (a list item by its key), and a last `.` for "the container itself"."""

# The API server sets these fields itself; they have no owner.
_OWNERLESS = frozenset(
    {
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    }
)


_PARTS = frozenset({"metadata", "spec", "status"})
# Fields that are owned as a whole (`structType` and `mapType` atomic in the API types).
_ATOMIC = frozenset({"selector", "nodeSelector"})
# Containers that exist without having been set; their existence has no owner.
_ALWAYS_THERE = frozenset({"containers", "template", "metadata", "spec", "updateStrategy", "strategy"})
# The server increments this counter itself; it stays with the creator of the object.
_COUNTED = ("f:metadata", "f:annotations", "f:deprecated.daemonset.template.generation")


@dataclass(frozen=True)
class FieldWriter:
    """The writer of a change: operation is `Update` or `Apply`, subresource is empty or `status`."""

    manager: str
    operation: str = "Update"
    subresource: str = ""


def leaves(obj: Mapping[str, Any]) -> dict[Path, Any]:
    """Every ownable path of an object and its value; containers have a trailing `.` and no value."""
    found: dict[Path, Any] = {}
    for key, value in obj.items():
        if key in {"apiVersion", "kind"}:
            continue
        if isinstance(value, Mapping):
            if key not in _PARTS:
                found[(f"f:{key}", ".")] = None
            for name, each in value.items():
                if key != "metadata" or name not in _OWNERLESS:
                    found.update(_walk((f"f:{key}", f"f:{name}"), name, each))
        else:
            found.update(_walk((f"f:{key}",), key, value))
    return found


def _walk(path: Path, field: str, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping) and value and field not in _ATOMIC:
        if field not in _ALWAYS_THERE:
            yield (*path, "."), None
        for key, each in value.items():
            yield from _walk((*path, f"f:{key}"), key, each)
    elif isinstance(value, list) and (key_name := merge_key(field, value)):
        if field not in _ALWAYS_THERE:
            yield (*path, "."), None
        for item in value:
            yield from _walk((*path, item_step(key_name, item)), "", item)
    else:
        yield path, value


def item_step(key_name: str, item: Mapping[str, Any]) -> str:
    return "k:" + orjson.dumps({key_name: item[key_name]}).decode()


def first_entries(manifest: Mapping[str, Any], made: Mapping[str, Any], writer: FieldWriter, now: str) -> list[Any]:
    """The entries of a new object: an applier owns the fields of its manifest, a creator also owns the defaults."""
    owned = (
        applied_paths(manifest)
        if writer.operation == "Apply"
        else set(leaves({key: value for key, value in made.items() if key != "status"}))
    )
    return [entry_of(writer, owned, str(made["apiVersion"]), now)] if owned else []


def applied_paths(manifest: Mapping[str, Any]) -> set[Path]:
    """The paths that applying a manifest owns: its values and list items, not the containers around them."""
    return {path for path in leaves(manifest) if path[-1] != "." or path[-2].startswith("k:")}


def after_update(old: Mapping[str, Any], new: Mapping[str, Any], entries: list[Any], writer: FieldWriter, now: str) -> list[Any]:
    """The entries after `writer` changed `old` to `new`: the writer owns changed fields, removed fields have no owner."""
    touched = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    before = leaves({key: old[key] for key in touched if key in old})
    after = leaves({key: new[key] for key in touched if key in new})
    changed = {path for path, value in after.items() if path != _COUNTED and (path not in before or before[path] != value)}
    gone = before.keys() - after.keys()
    if not changed and not gone:
        return entries
    taken = gone | {path for path in changed if path[-1] != "."}
    roots = {f"f:{key}" for key in touched}
    remaining = [entry if roots.isdisjoint(entry["fieldsV1"]) else without(entry, taken) for entry in entries]
    return _merged([entry for entry in remaining if entry["fieldsV1"]], writer, changed, str(new["apiVersion"]), now)


def without(entry: Mapping[str, Any], taken: set[Path]) -> dict[str, Any]:
    """The entry without some paths."""
    owned = paths_of(entry["fieldsV1"])
    return dict(entry) if owned.isdisjoint(taken) else {**entry, "fieldsV1": fields_v1(owned - taken)}


def _merged(entries: list[Any], writer: FieldWriter, changed: Iterable[Path], api_version: str, now: str) -> list[Any]:
    owned, rest = set(changed), []
    for entry in entries:
        if writer_of(entry) == writer:
            owned |= paths_of(entry["fieldsV1"])
        else:
            rest.append(entry)
    return in_order([*rest, entry_of(writer, owned, api_version, now)] if owned else rest)


def in_order(entries: list[Any]) -> list[Any]:
    """Entries sorted as by the API server: applied ones first, then by time and name."""
    return sorted(entries, key=lambda entry: (entry["operation"] != "Apply", entry["time"], entry["manager"]))


def entry_of(writer: FieldWriter, paths: Iterable[Path], api_version: str, now: str) -> Any:
    """One `managedFields` entry."""
    entry = {
        "manager": writer.manager,
        "operation": writer.operation,
        "apiVersion": api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields_v1(paths),
    }
    return entry | {"subresource": writer.subresource} if writer.subresource else entry


def writer_of(entry: Mapping[str, Any]) -> FieldWriter:
    return FieldWriter(entry["manager"], entry["operation"], entry.get("subresource", ""))


def fields_v1(paths: Iterable[Path]) -> dict[str, Any]:
    """The nested form of a set of paths."""
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
    return tree


def paths_of(tree: Mapping[str, Any], prefix: Path = ()) -> set[Path]:
    """The set of paths of a nested form."""
    if not tree and prefix:
        return {prefix}
    found: set[Path] = set()
    for step, branch in tree.items():
        found |= paths_of(branch, (*prefix, step))
    return found


def dotted(path: Path) -> str:
    """A path in the form of conflict messages: `.metadata.annotations.eks.amazonaws.com/role-arn`."""
    shown = ""
    for step in path:
        if step.startswith("f:"):
            shown += f".{step[2:]}"
        elif step.startswith("k:"):
            pairs = orjson.loads(step[2:]).items()
            shown += "[" + ",".join(f"{key}={orjson.dumps(value).decode()}" for key, value in pairs) + "]"
    return shown
