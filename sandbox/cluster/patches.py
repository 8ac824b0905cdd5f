"""JSON merge patch, JSON patch and strategic merge patch over plain JSON."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.cluster.errors import ApiError, bad_request

# Lists of objects that are merged by a key rather than replaced, and the key (`patchMergeKey` in the API types).
# Source: https://github.com/kubernetes/api/blob/master/core/v1/types.go
MERGE_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
    "ports": ("containerPort", "port"),
    "imagePullSecrets": ("name",),
    "secrets": ("name",),
    "conditions": ("type",),
    "addresses": ("type",),
    "ownerReferences": ("uid",),
    "hostAliases": ("ip",),
    "podIPs": ("ip",),
    "topologySpreadConstraints": ("topologyKey",),
    "webhooks": ("name",),
}
_MERGED_PRIMITIVES = frozenset({"finalizers"})


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: objects merge, null removes, other values replace. The target is not changed."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902, on a copy.

    Raises:
        ApiError: 400 for an invalid patch; 422 if a test fails or a path does not exist, as the API server answers.
    """
    from jsonpatch import JsonPatch, JsonPatchException
    from jsonpointer import JsonPointerException

    if not isinstance(operations, list):
        raise bad_request("error decoding patch: json: cannot unmarshal into Go value of type jsonpatch.Patch")
    try:
        return JsonPatch(operations).apply(target, in_place=False)
    except (JsonPatchException, JsonPointerException) as refused:
        message = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", message, {}) from refused


def strategic_merge(target: Any, patch: Any, field: str = "") -> Any:
    """Strategic merge patch: merge patch, with the lists of `MERGE_KEYS` merged by key. The target is not changed."""
    if isinstance(patch, Mapping):
        return _merge_object(target, patch)
    if isinstance(patch, list):
        return _merge_list(target if isinstance(target, list) else [], patch, field)
    return patch


def _merge_object(target: Any, patch: Mapping[str, Any]) -> Any:
    if patch.get("$patch") == "replace":
        return {key: value for key, value in patch.items() if key != "$patch"}
    merged = dict(target) if isinstance(target, Mapping) else {}
    if patch.get("$patch") == "delete":
        return {}
    if "$retainKeys" in patch:
        merged = {key: value for key, value in merged.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        _merge_member(merged, key, value)
    return merged


def _merge_member(merged: dict[str, Any], key: str, value: Any) -> None:
    directive, _, field = key.partition("/")
    if directive == "$deleteFromPrimitiveList":
        merged[field] = [each for each in merged.get(field, ()) if each not in value]
    elif directive == "$setElementOrder":
        merged[field] = _in_order(merged.get(field, []), value, field)
    elif key.startswith("$"):
        return
    elif value is None:
        merged.pop(key, None)
    else:
        merged[key] = strategic_merge(merged.get(key), value, key)


def merge_key(field: str, items: Sequence[Any]) -> str | None:
    """The key that identifies the objects of this list, or None if the list is one value."""
    for key in MERGE_KEYS.get(field, ()):
        if items and all(isinstance(item, Mapping) and (key in item or "$patch" in item) for item in items):
            return key
    return None


def _merge_list(target: list[Any], patch: list[Any], field: str) -> list[Any]:
    if field in _MERGED_PRIMITIVES:
        return target + [each for each in patch if each not in target]
    key = merge_key(field, patch)
    if key is None:
        return copy.deepcopy(patch)
    if any(item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    merged, added = list(target), []
    for item in patch:
        added += _merge_item(merged, item, key)
    return added + merged  # the API server puts new items first


def _merge_item(merged: list[Any], item: Mapping[str, Any], key: str) -> list[Any]:
    """Merge one item in place; returns it if no item had its key."""
    at = next((index for index, each in enumerate(merged) if each.get(key) == item.get(key)), None)
    if item.get("$patch") == "delete":
        if at is not None:
            del merged[at]
    elif at is None:
        return [strategic_merge({}, item)]
    else:
        merged[at] = strategic_merge(merged[at], item)
    return []


def _in_order(items: list[Any], order: list[Any], field: str) -> list[Any]:
    key = merge_key(field, items)
    ordered_keys = [each.get(key) for each in order] if key else order
    place = {value: index for index, value in enumerate(ordered_keys)}
    return sorted(items, key=lambda item: place.get(item.get(key) if key else item, len(place)))
