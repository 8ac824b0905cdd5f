"""Checks values against a botocore shape, member by member, and converts them to JSON.

Used in both directions: for the requests of callers and for the responses of doubles. Without the check, the SDK's
parser would silently drop a misspelled field.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (datetime, int, float),
    "blob": (bytes,),
    "structure": (dict,),
    "map": (dict,),
    "list": (list, tuple),
}


class ModelMismatch(Exception):
    """A value does not fit the service model; one line per difference."""


def checked(shape: Shape | None, value: Any) -> Any:
    """The value as JSON (timestamps as epoch seconds), checked against the shape.

    Raises:
        ModelMismatch: names every member that is unknown, missing, of the wrong type or outside its enum.
    """
    found = list(differences(shape, value)) if shape is not None else ([] if not value else ["the operation has no such shape"])
    if found:
        raise ModelMismatch("\n".join(found))
    return to_json(value)


def differences(shape: Shape, value: Any, at: str = "") -> Iterator[str]:
    """Every difference, as `path: what is wrong`."""
    given: Any = value  # the checks below narrow by the shape, which a type checker cannot follow
    allowed = _PYTHON_TYPES[shape.type_name]
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        yield f"{at or shape.name}: expected {shape.type_name}, got {type(value).__name__}"
        return
    match shape.type_name:
        case "structure":
            yield from _structure(cast("StructureShape", shape), given, at or shape.name)
        case "list":
            yield from _list(cast("ListShape", shape), given, at)
        case "map":
            for key, item in given.items():
                yield from differences(cast("MapShape", shape).value, item, f"{at}[{key}]")
        case "string":
            yield from _string(cast("StringShape", shape), given, at)


def _structure(shape: StructureShape, value: dict[str, Any], at: str) -> Iterator[str]:
    yield from (f"{at}.{name}: no such member of {shape.name}" for name in sorted(value.keys() - shape.members.keys()))
    yield from (f"{at}.{name}: required, but absent" for name in shape.required_members if name not in value)
    for name, member in shape.members.items():
        if name in value:
            yield from differences(member, value[name], f"{at}.{name}")


def _list(shape: ListShape, value: list[Any], at: str) -> Iterator[str]:
    yield from _length(shape, len(value), at, "items")
    for index, item in enumerate(value):
        yield from differences(shape.member, item, f"{at}[{index}]")


def _string(shape: StringShape, value: str, at: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{at}: {value!r} is none of {', '.join(shape.enum)}"
    pattern = shape.metadata.get("pattern")
    if pattern and not re.search(str(pattern), value):
        yield f"{at}: {value!r} does not match {pattern}"
    yield from _length(shape, len(value), at, "characters")


def _length(shape: Shape, length: int, at: str, unit: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and length < int(low):
        yield f"{at}: at least {low} {unit}, got {length}"
    if high is not None and length > int(high):
        yield f"{at}: at most {high} {unit}, got {length}"


def to_json(value: Any) -> Any:
    """The value with timestamps as epoch seconds and tuples as lists."""
    if isinstance(value, datetime):
        return round(value.timestamp(), 3)
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    return [to_json(item) for item in value] if isinstance(value, list | tuple) else value
