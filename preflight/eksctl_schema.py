"""Validation of a ClusterConfig with eksctl's own JSON schema, which is pinned in `eksctl.schema.json`.

Reported are unknown keys, values where the schema has an object or a list, and texts where it has a truth value: eksctl decodes
strictly, so each stops it. Other types are left to eksctl, which turns numbers into texts.

Source: https://github.com/eksctl-io/eksctl/blob/main/pkg/eks/api.go (ParseConfig)
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jsonschema.exceptions import ValidationError

    from preflight.source_tree import SourceNode

_SCHEMA: Final = Path(__file__).with_name("eksctl.schema.json")
_CONTAINERS: Final = ("object", "array")
_MOST: Final = 100_000
"""Most values of a file: a text of aliases may stand for millions."""


def refused_settings(root: SourceNode) -> Iterator[tuple[SourceNode, str, str]]:
    """Return what the schema refuses: the mapping or value, the key in it ("" for the value itself), and the reason."""
    for error in _validator().iter_errors(_plain(root)):
        path = [str(step) if isinstance(step, str) else step for step in error.absolute_path]
        node = _at(root, path)
        owner = ".".join(map(str, path)) or "the file"
        if error.validator == "additionalProperties":
            yield from ((node, key, f"eksctl knows no key {key!r} of {owner}{_hint(error, key)}.") for key in _unknown(error))
        elif error.validator == "type" and error.validator_value in _CONTAINERS and not _is_accepted(error):
            expected = "a list" if error.validator_value == "array" else "a mapping"
            yield node, "", f"{owner} must be {expected}."
        elif error.validator == "type" and error.validator_value == "boolean" and isinstance(error.instance, str):
            yield node, "", f"{owner} must be true or false, without quotes."


def is_too_large(root: SourceNode) -> bool:
    """Return whether the file holds more values than a ClusterConfig can."""
    return _size(root, {}) > _MOST


@cache
def _validator() -> Any:
    from jsonschema import Draft7Validator  # a quarter of a second, for eksctl files alone

    return Draft7Validator(json.loads(_SCHEMA.read_text(encoding="utf-8")))


def _is_accepted(error: ValidationError) -> bool:
    """Return whether eksctl takes the value all the same: null is unset, and taints may be a mapping.

    Source: https://github.com/eksctl-io/eksctl/blob/main/pkg/apis/eksctl.io/v1alpha5/taints.go
    """
    return error.instance is None or (bool(error.absolute_path) and error.absolute_path[-1] == "taints")


def _known(error: ValidationError) -> Mapping[str, Any]:
    schema: Any = error.schema
    found: Mapping[str, Any] = schema.get("properties", {})
    return found


def _unknown(error: ValidationError) -> list[str]:
    instance: Any = error.instance
    return [key for key in instance if key not in _known(error)]


def _hint(error: ValidationError, key: str) -> str:
    near = next((name for name in _known(error) if name.lower() == key.replace("_", "").lower()), "")
    return f"; the key is {near}" if near else ""


def _at(root: SourceNode, path: list[str | int]) -> SourceNode:
    node = root
    for step in path:
        node = node.items[step] if isinstance(step, int) else node.fields[step]
    return node


def _plain(node: SourceNode) -> Any:
    """Return the value as JSON. An alias is one object, so aliases do not multiply it."""
    done: dict[int, Any] = {}

    def plain(one: SourceNode) -> Any:
        if id(one) not in done:
            if isinstance(one.value, list):
                done[id(one)] = [plain(entry) for entry in one.value]
            else:
                done[id(one)] = {key: plain(entry) for key, entry in one.fields.items()} if isinstance(one.value, dict) else one.value
        return done[id(one)]

    return plain(node)


def _size(node: SourceNode, sizes: dict[int, int]) -> int:
    """Return the number of values, those behind aliases at each place."""
    if id(node) not in sizes:
        sizes[id(node)] = 1 + sum(_size(entry, sizes) for entry in (*node.items, *node.fields.values()))
    return sizes[id(node)]
