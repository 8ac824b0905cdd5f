"""One line of the result: a value, what it is compared with, and whether it is as good as promised."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.measure import ratio, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.measure import Cost


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound on the ratio or on the value; `at_least` where more is better."""

    on: Literal["ratio", "value"]
    bound: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{self.on} {'>=' if self.at_least else '<='} {self.bound:g}"

    def met_by(self, measured: float) -> bool:
        return measured >= self.bound if self.at_least else measured <= self.bound


@dataclass(frozen=True, kw_only=True)
class Row:
    """`spread` is a share: half the distance between the quartiles of what the goal is about, by its median."""

    promise: str
    name: str
    value: float
    unit: str
    rival: str = ""
    rival_value: float | None = None
    ratio: float | None = None
    goal: Goal | None = None
    spread: float = 0.0
    runs: int = 1
    note: str = ""
    limit: str = ""
    """Where the time goes and what cannot be less, told where the goal is missed."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        measured = self.ratio if self.goal.on == "ratio" else self.value
        return measured is not None and self.goal.met_by(measured)

    def beside(self, rival: str, rival_value: float, goal: Goal | None = None) -> Row:
        """The same row, compared with another figure of its unit."""
        return replace(self, rival=rival, rival_value=rival_value, ratio=self.value / rival_value, goal=goal or self.goal)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"goal": str(self.goal) if self.goal else None, "met": self.met}


def explained(rows: Sequence[Row], where: Callable[[], str], limit: str) -> list[Row]:
    """Add to rows that miss their goals where the time goes, which is looked for only then, and what the limit is."""
    told = f"{where()}. {limit}" if any(row.met is False for row in rows) else ""
    return [replace(row, limit=told) if row.met is False else row for row in rows]


UNITS = {"wall_ms": "ms", "cpu_ms": "ms CPU", "peak_mb": "MB"}


def compared(
    promise: str,
    name: str,
    part: str,
    costs: Mapping[str, Sequence[Cost]],
    *,
    rival: str,
    goal: Goal | None = None,
    upside_down: bool = False,
    note: str = "",
) -> Row:
    """The row of `ours` beside a rival; `upside_down` for goals that say how many times faster we are."""
    ours, theirs = sample(costs["ours"], part), sample(costs[rival], part)
    measured = ratio(theirs, ours) if upside_down else ratio(ours, theirs)
    return Row(
        promise=promise,
        name=name,
        value=ours.median,
        unit=UNITS[part],
        rival=rival,
        rival_value=theirs.median,
        ratio=measured.median,
        goal=goal,
        spread=measured.spread,
        runs=len(ours.values),
        note=note,
    )
