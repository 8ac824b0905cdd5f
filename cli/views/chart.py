"""Chart of an incident: pods with the role and Ready nodes over time, as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from lambdas.notifications.time_text import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from lambdas.domain.incidents.details import CountSample
    from lambdas.notifications.timeline import TimelineRow

WIDTH: Final = 760
LEFT: Final = 52
RIGHT: Final = 18
STRIP: Final = 84
GAP: Final = 44
TOP: Final = 54
BELOW: Final = 24
BADGE_Y: Final = 11
MAX_TICKS: Final = 6
_TICK_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800)
MARK_DISTANCE: Final = 16
"""Minimum distance of two numbered marks in pixels. Closer ones are moved to the right."""


@dataclass(frozen=True)
class Series:
    """One strip of the chart. `points` are `(seconds, count, total)` in the order of time."""

    name: str
    title: str
    points: tuple[tuple[float, int, int], ...]

    @property
    def maximum(self) -> int:
        """Top of the axis."""
        return max(total for _, _, total in self.points)


@dataclass(frozen=True)
class Sample:
    """Counts at one time: `(with the role or Ready, all)`. None where nothing was counted."""

    at: datetime
    pods: tuple[int, int] | None
    nodes: tuple[int, int] | None


def all_samples(rows: Sequence[TimelineRow], stored: Sequence[CountSample]) -> list[Sample]:
    """Return the counts of the assessments and of the verification between them, in the order of time."""
    found = [Sample(row.at, row.pods, row.nodes) for row in rows if row.at and (row.pods or row.nodes)]
    found += [Sample(item.at, _pair(item.pods_with_role, item.pods), _pair(item.nodes_ready, item.nodes)) for item in stored]
    return sorted(found, key=lambda sample: sample.at)


def _pair(count: int, total: int) -> tuple[int, int] | None:
    return (count, total) if total > 0 else None


def _series(found: Sequence[Sample], start: datetime) -> list[Series]:
    """Return the strips that have data."""
    pods = tuple(((sample.at - start).total_seconds(), *sample.pods) for sample in found if sample.pods)
    nodes = tuple(((sample.at - start).total_seconds(), *sample.nodes) for sample in found if sample.nodes)
    return [series for series in (Series("pods", "pods with the role", pods), Series("nodes", "nodes Ready", nodes)) if series.points]


def draw_chart(rows: Sequence[TimelineRow], numbers: Sequence[int | None], stored: Sequence[CountSample] = ()) -> str:
    """Return the SVG, or nothing where nothing was counted.

    Args:
        rows: the timeline.
        numbers: number of each row's action, None where the row is no action.
        stored: counts during verification, as stored in the incident's details.
    """
    found = all_samples(rows, stored)
    if not found:
        return ""
    times = [row.at for row in rows if row.at] + [sample.at for sample in found]
    start, last = min(times), max(times)
    strips = _series(found, start)
    end = (last - start).total_seconds() or 1.0
    bottom = TOP + len(strips) * (STRIP + GAP) - GAP
    height = bottom + BELOW
    body = [part for i, series in enumerate(strips) for part in _strip(series, TOP + i * (STRIP + GAP), end)]
    marks = [((row.at - start).total_seconds(), n) for row, n in zip(rows, numbers, strict=True) if row.at and n is not None]
    body += [*_marks(marks, end, bottom), *_axis(end, bottom + 18)]
    summary = "; ".join(_summary(series) for series in strips)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="chart-title chart-desc" class="chart">'
        f'<title id="chart-title">Pods with the role and nodes Ready over time</title>'
        f'<desc id="chart-desc">{escape(summary)}.</desc>{"".join(body)}</svg>'
    )


def _summary(series: Series) -> str:
    (_, first, all_first), (_, last, all_last) = series.points[0], series.points[-1]
    return f"{series.title}: {first} of {all_first} at the start, {last} of {all_last} at the end"


def _x(at: float, end: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * at / end, 1)


def _strip(series: Series, top: int, end: float) -> Iterator[str]:
    bottom = top + STRIP

    def y(count: int) -> float:
        return round(bottom - STRIP * count / series.maximum, 1)

    (_, last, total) = series.points[-1]
    yield f'<text x="{LEFT}" y="{top - 10}" class="strip {series.name}">{escape(series.title)}</text>'
    yield f'<text x="{WIDTH - RIGHT}" y="{top - 10}" class="strip end" text-anchor="end">{last} of {total} at the end</text>'
    for count in {0, series.maximum}:
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(count)}" y2="{y(count)}" class="grid"/>'
        yield f'<text x="{LEFT - 8}" y="{y(count) + 4}" class="tick" text-anchor="end">{count}</text>'
    path = _stepped([(_x(at, end), y(count)) for at, count, _ in series.points], _x(end, end))
    yield f'<path d="M{path[0][0]},{bottom} {_line(path)} V{bottom} Z" class="area {series.name}"/>'
    yield f'<path d="M{path[0][0]},{path[0][1]} {_line(path[1:])}" class="line {series.name}"/>'
    for at, count, total_then in series.points:
        label = f"+{duration(round(at))}: {count} of {total_then} {series.title}"
        yield f'<circle cx="{_x(at, end)}" cy="{y(count)}" r="3.5" class="dot {series.name}"><title>{escape(label)}</title></circle>'


def _stepped(points: list[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """Return a step line: each count holds until the next one."""
    path = [points[0]]
    for x, y in points[1:]:
        path += [(x, path[-1][1]), (x, y)]
    return [*path, (end, path[-1][1])]


def _line(points: list[tuple[float, float]]) -> str:
    return " ".join(f"L{x},{y}" for x, y in points)


def _marks(marks: list[tuple[float, int]], end: float, bottom: int) -> Iterator[str]:
    """Draw a numbered line for each action. Numbers that would overlap move to the right."""
    next_x = 0.0
    for at, number in marks:
        x = _x(at, end)
        label = max(x, next_x)
        next_x = label + MARK_DISTANCE
        yield f'<line x1="{x}" x2="{x}" y1="{BADGE_Y + 8}" y2="{bottom}" class="mark"/>'
        yield f'<circle cx="{label}" cy="{BADGE_Y}" r="7.5" class="badge"/>'
        yield f'<text x="{label}" y="{BADGE_Y + 3.5}" class="badge" text-anchor="middle">{number}</text>'


def _axis(end: float, y: int) -> Iterator[str]:
    step = next((seconds for seconds in _TICK_STEPS_S if end / seconds <= MAX_TICKS), max(1, round(end / MAX_TICKS)))
    for i in range(int(end // step) + 1):
        x = _x(i * step, end)
        yield f'<line x1="{x}" x2="{x}" y1="{y - 18}" y2="{y - 13}" class="grid"/>'
        anchor = "start" if i == 0 else "end" if x > WIDTH - RIGHT - 24 else "middle"
        yield f'<text x="{x}" y="{y}" class="tick" text-anchor="{anchor}">+{duration(i * step)}</text>'
