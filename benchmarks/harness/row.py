"""One row of the results: a value, its baseline and its goal."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.harness.measurement import ratio, sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.harness.measurement import Cost


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A bound on the ratio or on the value. `at_least` is for values that should be large."""

    on: Literal["ratio", "value"]
    bound: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{self.on} {'>=' if self.at_least else '<='} {self.bound:g}"

    def met_by(self, measured: float) -> bool:
        return measured >= self.bound if self.at_least else measured <= self.bound


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured value. `spread` is half the interquartile range divided by the median."""

    benchmark: str
    name: str
    value: float
    unit: str
    baseline: str = ""
    baseline_value: float | None = None
    ratio: float | None = None
    goal: Goal | None = None
    spread: float = 0.0
    runs: int = 1
    note: str = ""
    limit: str = ""
    """Where the time is spent and what limits the value; set when the goal is missed."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.goal is None:
            return None
        measured = self.ratio if self.goal.on == "ratio" else self.value
        return measured is not None and self.goal.met_by(measured)

    def compared_with(self, baseline: str, baseline_value: float, goal: Goal | None = None) -> Row:
        """Return the row with a baseline of the same unit."""
        return replace(self, baseline=baseline, baseline_value=baseline_value, ratio=self.value / baseline_value, goal=goal or self.goal)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"goal": str(self.goal) if self.goal else None, "met": self.met}


def explain_missed(rows: Sequence[Row], shares: Callable[[], str], limit: str) -> list[Row]:
    """Add an explanation to rows that miss their goals. `shares` is called only when a goal is missed."""
    explanation = f"{shares()}. {limit}" if any(row.met is False for row in rows) else ""
    return [replace(row, limit=explanation) if row.met is False else row for row in rows]


UNITS = {"wall_ms": "ms", "cpu_ms": "ms CPU", "peak_mb": "MB"}


def compare(
    benchmark: str,
    name: str,
    part: str,
    costs: Mapping[str, Sequence[Cost]],
    *,
    baseline: str,
    goal: Goal | None = None,
    inverted: bool = False,
    note: str = "",
) -> Row:
    """Return the row of the product compared with a baseline. With `inverted` the ratio is baseline to product."""
    product, other = sample(costs["product"], part), sample(costs[baseline], part)
    measured = ratio(other, product) if inverted else ratio(product, other)
    return Row(
        benchmark=benchmark,
        name=name,
        value=product.median,
        unit=UNITS[part],
        baseline=baseline,
        baseline_value=other.median,
        ratio=measured.median,
        goal=goal,
        spread=measured.spread,
        runs=len(product.values),
        note=note,
    )
