"""What becomes of an event without one of its fields, or with a field of another type: which fields count, and which errors name them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambdas.domain.errors import MalformedEvent
from lambdas.domain.requests.parser import parse
from tests.events import ACCOUNT, ARRIVED_AT, INDEX, REGION, event
from tests.unit.notifications.test_golden import assert_golden
from tests.unit.variations import changed_at, difference, paths

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
    for path in paths(recorded):
        if path[0] in ENVELOPE and len(path) == 1 and not with_envelope:
            continue
        results = [difference(_reading(changed_at(recorded, path, value)), usual) for value in (None, OTHER_TYPE)]
        if any(results):
            absent, other = results
            yield f"  {'.'.join(map(str, path))}: {absent or 'no difference'}{f' | of another type: {other}' if other != absent else ''}"


def _reading(value: dict[str, Any]) -> Any:
    try:
        return parse(value, account=ACCOUNT, region=REGION, now=NOW)
    except MalformedEvent as error:
        return f"MalformedEvent: {error}"
