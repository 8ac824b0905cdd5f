"""Variations of nested JSON, one field at a time, and the difference that one makes to a result."""

from __future__ import annotations

import copy
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def paths(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """The path of each field of nested JSON, and of the first element of each list."""
    children = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, child in children:
        yield (*above, key)
        yield from paths(child, *above, key)


def changed_at(recorded: dict[str, Any], path: tuple[Any, ...], value: int | None) -> dict[str, Any]:
    """A copy with this value at the path, or without the field."""
    changed = copy.deepcopy(recorded)
    inner: Any = changed
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return changed


def difference(found: Any, usual: Any) -> str:
    """The fields that differ from the usual result, or the whole result where it is of another type."""
    if type(found) is not type(usual):
        return str(found)
    now, then = dict(_flat(found)), dict(_flat(usual))
    gone = [name for name in then if name not in now and not any(name.startswith(f"{other}.") for other in now)]
    return ", ".join([f"{name}={value}" for name, value in now.items() if value != then.get(name)] + [f"no {name}" for name in gone])


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each field by its path, as text."""
    if isinstance(value, tuple) and value:
        children = [(str(index), child) for index, child in enumerate(value)]
    elif is_dataclass(value):
        children = [(item.name, getattr(value, item.name)) for item in fields(value)]
    else:
        yield path or "result", str(value)
        return
    for name, child in children:
        yield from _flat(child, f"{path}.{name}".removeprefix("."))
