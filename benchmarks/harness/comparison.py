"""Compares results with the last committed ones, and names what became worse by more than the spread of both runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from benchmarks.harness.table import number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.harness.row import Row

_COUNTED: Final = frozenset({"requests", "operations"})
"""Units of counts, which have no spread: one more is a regression."""
_ON_ANY_MACHINE: Final = _COUNTED | {"MB", "USD"}
"""Units of values that depend little on the machine. Times depend on it, so only their ratio to a baseline is compared."""
_SMALLEST: Final = 0.1
"""Relative change below which a measured value counts as unchanged: two medians of the same code differ by this much on a busy machine."""


def regressions(rows: Iterable[Row], committed: Iterable[Row]) -> list[str]:
    """Return a line for each row that became worse by more than the spreads of both runs together."""
    before = {(row.benchmark, row.name, row.baseline): row for row in committed}
    found = ((row, before.get((row.benchmark, row.name, row.baseline))) for row in rows)
    return [line for row, earlier in found if earlier is not None and (line := _regression(row, earlier))]


def missing(rows: Iterable[Row], committed: Iterable[Row]) -> int:
    """Return how many of the rows have no committed counterpart, and so were not compared."""
    known = {(row.benchmark, row.name, row.baseline) for row in committed}
    return sum((row.benchmark, row.name, row.baseline) not in known for row in rows)


def merged(rows: Iterable[Row], committed: Iterable[Row]) -> list[Row]:
    """Return the committed rows with those replaced or added that were measured again."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in (*committed, *rows):
        found[row.benchmark, row.name, row.baseline] = row
    return list(found.values())


def _regression(row: Row, earlier: Row) -> str:
    is_ratio = row.ratio is not None and earlier.ratio is not None and row.unit not in _COUNTED
    now, then = (row.ratio, earlier.ratio) if is_ratio else (row.value, earlier.value)
    if now is None or not then or not (is_ratio or row.unit in _ON_ANY_MACHINE):
        return ""
    is_larger_better = row.goal is not None and row.goal.at_least
    change = (then / now if is_larger_better else now / then) - 1
    allowed = 0.0 if row.unit in _COUNTED else max(_SMALLEST, row.spread + earlier.spread)
    if change <= allowed:
        return ""
    what = "ratio" if is_ratio else row.unit
    against = f" against {row.baseline}" if row.baseline else ""
    return f"{row.benchmark}, {row.name}{against}: {what} {number(now)}, committed {number(then)}; {change:.0%} worse, spread {allowed:.0%}"
