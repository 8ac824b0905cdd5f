"""What becomes of an event without one of its fields, or with a field of another type: which fields count, and which errors name them."""

from __future__ import annotations

import copy
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdas.domain.errors import MalformedEvent
from lambdas.domain.requests.parser import parse
from tests.events import ACCOUNT, ARRIVED_AT, INDEX, REGION, event
from tests.unit.notifications.test_golden import assert_golden

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime.fromisoformat(ARRIVED_AT)
OTHER_TYPE = 7
ENVELOPE = ("id", "detail-type", "source", "account", "time", "region", "detail")
"""Fields that mean the same in every event."""


def test_each_field_of_a_recorded_event_counts_as_reviewed() -> None:
    """The fields whose absence or other type changes the result, and how. After a wanted change: `UPDATE_GOLDEN=1`."""
    lines = [line for number, name in enumerate(INDEX) for line in _variations(name, with_envelope=number == 0)]
    assert_golden(Path(__file__).parent / "golden" / "fields-of-events.txt", "".join(f"{line}\n" for line in lines))


def _variations(name: str, *, with_envelope: bool) -> Iterator[str]:
    recorded = event(name)
    usual = _reading(recorded)
    yield name
    for path in _paths(recorded):
        if path[0] in ENVELOPE and len(path) == 1 and not with_envelope:
            continue
        results = [_difference(_reading(_changed(recorded, path, value)), usual) for value in (None, OTHER_TYPE)]
        if any(results):
            absent, other = results
            yield f"  {'.'.join(map(str, path))}: {absent or 'no difference'}{f' | of another type: {other}' if other != absent else ''}"


def _paths(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    """The path of each field of nested JSON, and of the first element of each list."""
    children = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, child in children:
        yield (*above, key)
        yield from _paths(child, *above, key)


def _changed(recorded: dict[str, Any], path: tuple[Any, ...], value: int | None) -> dict[str, Any]:
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


def _reading(value: dict[str, Any]) -> Any:
    try:
        return parse(value, account=ACCOUNT, region=REGION, now=NOW)
    except MalformedEvent as error:
        return f"MalformedEvent: {error}"


def _difference(found: Any, usual: Any) -> str:
    """The fields that differ from the usual result, or the whole result where it is of another type."""
    if type(found) is not type(usual) or isinstance(found, str):
        return "" if found == usual else str(found)
    values = {item.name: (getattr(found, item.name), getattr(usual, item.name)) for item in fields(found)}
    nested = {name: _difference(*pair) if hasattr(pair[0], "__dataclass_fields__") else repr(pair[0]) for name, pair in values.items()}
    return ", ".join(f"{name}={nested[name]}" for name, (now, then) in values.items() if now != then)
