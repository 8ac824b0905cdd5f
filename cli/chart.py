"""Pods with the role and nodes Ready over time, as an SVG of two strips over one time axis."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from lambdas.notifications.time_text import duration, moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from lambdas.notifications.timeline import Moment

WIDTH: Final = 760
LEFT: Final = 52
RIGHT: Final = 18
STRIP: Final = 84
GAP: Final = 44
TOP: Final = 54
BELOW: Final = 24
BADGE_Y: Final = 11
MOST_TICKS: Final = 6
_ENTRY: Final = 5  # time, pods with the role, pods, nodes Ready, nodes
_STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800)
MARK_APART: Final = 16
"""Pixels between two numbered marks; closer ones share a line and are drawn side by side."""


@dataclass(frozen=True)
class Series:
    """One strip: `(seconds, right, all)` in the order of time."""

    name: str
    title: str
    points: tuple[tuple[float, int, int], ...]

    @property
    def most(self) -> int:
        """The top of its axis."""
        return max(total for _, _, total in self.points)


@dataclass(frozen=True)
class Count:
    """What was counted at one time: `(right or Ready, all)`, None where it was not counted."""

    at: datetime
    pods: tuple[int, int] | None
    nodes: tuple[int, int] | None


def counts(moments: Sequence[Moment], trail: object) -> list[Count]:
    """What the looks counted, and what a proof remembers of the time between them, in the order of time."""
    found = [Count(item.at, item.pods, item.nodes) for item in moments if item.at and (item.pods or item.nodes)]
    for entry in trail if isinstance(trail, list | tuple) else ():
        if isinstance(entry, list | tuple) and len(entry) == _ENTRY and (at := moment(entry[0])):
            found.append(Count(at, _pair(entry[1], entry[2]), _pair(entry[3], entry[4])))
    return sorted(found, key=lambda item: item.at)


def _pair(some: object, total: object) -> tuple[int, int] | None:
    return (some, total) if isinstance(some, int) and isinstance(total, int) and total > 0 else None


def _series(found: Sequence[Count], start: datetime) -> list[Series]:
    """The strips that there is something to draw in."""
    pods = tuple(((item.at - start).total_seconds(), *item.pods) for item in found if item.pods)
    nodes = tuple(((item.at - start).total_seconds(), *item.nodes) for item in found if item.nodes)
    made = (Series("pods", "pods with the role", pods), Series("nodes", "nodes Ready", nodes))
    return [item for item in made if item.points]


def draw(moments: Sequence[Moment], numbers: Sequence[int | None], trail: object = ()) -> str:
    """The SVG, or nothing where nothing was counted.

    Args:
        moments: the timeline.
        numbers: of each moment, None where it was no action.
        trail: what the incident's details hold under that name.
    """
    found = counts(moments, trail)
    times = [item.at for item in moments if item.at] + [item.at for item in found]
    if not found:
        return ""
    start, last = min(times), max(times)
    strips = _series(found, start)
    end = (last - start).total_seconds() or 1.0
    bottom = TOP + len(strips) * (STRIP + GAP) - GAP
    height = bottom + BELOW
    body = [part for i, item in enumerate(strips) for part in _strip(item, TOP + i * (STRIP + GAP), end)]
    marks = [((item.at - start).total_seconds(), n) for item, n in zip(moments, numbers, strict=True) if item.at and n is not None]
    body += [*_marks(marks, end, bottom), *_axis(end, bottom + 18)]
    summary = "; ".join(_summary(strip) for strip in strips)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="chart-title chart-desc" class="chart">'
        f'<title id="chart-title">Pods with the role and nodes Ready over time</title>'
        f'<desc id="chart-desc">{escape(summary)}.</desc>{"".join(body)}</svg>'
    )


def _summary(it: Series) -> str:
    (_, first, all_first), (_, last, all_last) = it.points[0], it.points[-1]
    return f"{it.title}: {first} of {all_first} at first, {last} of {all_last} at the end"


def _x(at: float, end: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * at / end, 1)


def _strip(it: Series, top: int, end: float) -> Iterator[str]:
    bottom = top + STRIP

    def y(count: int) -> float:
        return round(bottom - STRIP * count / it.most, 1)

    (_, last, total) = it.points[-1]
    yield f'<text x="{LEFT}" y="{top - 10}" class="strip {it.name}">{escape(it.title)}</text>'
    yield f'<text x="{WIDTH - RIGHT}" y="{top - 10}" class="strip end" text-anchor="end">{last} of {total} at the end</text>'
    for count in {0, it.most}:
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(count)}" y2="{y(count)}" class="grid"/>'
        yield f'<text x="{LEFT - 8}" y="{y(count) + 4}" class="tick" text-anchor="end">{count}</text>'
    path = _stepped([(_x(at, end), y(right)) for at, right, _ in it.points], _x(end, end))
    yield f'<path d="M{path[0][0]},{bottom} {_line(path)} V{bottom} Z" class="area {it.name}"/>'
    yield f'<path d="M{path[0][0]},{path[0][1]} {_line(path[1:])}" class="line {it.name}"/>'
    for at, right, all_of_them in it.points:
        label = f"+{duration(round(at))}: {right} of {all_of_them} {it.title}"
        yield f'<circle cx="{_x(at, end)}" cy="{y(right)}" r="3.5" class="dot {it.name}"><title>{escape(label)}</title></circle>'


def _stepped(points: list[tuple[float, float]], end: float) -> list[tuple[float, float]]:
    """What was seen holds until the next look."""
    found = [points[0]]
    for x, y in points[1:]:
        found += [(x, found[-1][1]), (x, y)]
    return [*found, (end, found[-1][1])]


def _line(points: list[tuple[float, float]]) -> str:
    return " ".join(f"L{x},{y}" for x, y in points)


def _marks(marks: list[tuple[float, int]], end: float, bottom: int) -> Iterator[str]:
    """A numbered line for each action, keyed to the timeline; where they come close, the numbers move aside."""
    free = 0.0
    for at, number in marks:
        x = _x(at, end)
        label = max(x, free)
        free = label + MARK_APART
        yield f'<line x1="{x}" x2="{x}" y1="{BADGE_Y + 8}" y2="{bottom}" class="mark"/>'
        yield f'<circle cx="{label}" cy="{BADGE_Y}" r="7.5" class="badge"/>'
        yield f'<text x="{label}" y="{BADGE_Y + 3.5}" class="badge" text-anchor="middle">{number}</text>'


def _axis(end: float, y: int) -> Iterator[str]:
    step = next((steps_ for steps_ in _STEPS_S if end / steps_ <= MOST_TICKS), max(1, round(end / MOST_TICKS)))
    for i in range(int(end // step) + 1):
        x = _x(i * step, end)
        yield f'<line x1="{x}" x2="{x}" y1="{y - 18}" y2="{y - 13}" class="grid"/>'
        anchor = "start" if i == 0 else "end" if x > WIDTH - RIGHT - 24 else "middle"
        yield f'<text x="{x}" y="{y}" class="tick" text-anchor="{anchor}">+{duration(i * step)}</text>'
