"""Costs of one run of something, taken in turns with its rivals, and their medians, ratios and spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

Measured = Callable[[], "Cost"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one run took. `cpu_ms` is that of the process which did the work, not of the servers that answered it."""

    wall_ms: float
    cpu_ms: float = 0.0
    peak_mb: float = 0.0


@dataclass(frozen=True)
class Sample:
    """Values of several runs in the order in which they were taken."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles as a share of the median; 0 where there is one value."""
        if len(self.values) < _QUARTILES or not self.median:
            return 0.0
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return (high - low) / 2 / self.median


_QUARTILES: Final = 3


def in_turns(contenders: Mapping[str, Measured], rounds: int) -> dict[str, list[Cost]]:
    """Run every contender once a round. Who begins changes from round to round, so that nobody always meets the same neighbour."""
    names = list(contenders)
    found: dict[str, list[Cost]] = {name: [] for name in names}
    for n in range(rounds):
        for name in [*names[n % len(names) :], *names[: n % len(names)]]:
            found[name].append(contenders[name]())
    return found


def patiently(measured: Measured, tries: int = 3) -> Measured:
    """The same, tried again where it fails: a double that serves megabytes from one interpreter may keep a reader waiting too long."""

    def again() -> Cost:
        for _ in range(tries - 1):
            with suppress(RuntimeError):
                return measured()
        return measured()

    return again


def sample(costs: Sequence[Cost], part: str) -> Sample:
    """One part of the costs, `wall_ms`, `cpu_ms` or `peak_mb`."""
    return Sample(tuple(float(getattr(cost, part)) for cost in costs))


def ratio(ours: Sample, theirs: Sample) -> Sample:
    """Ours to theirs, round by round: what the machine was busy with in a round struck both."""
    return Sample(tuple(a / b for a, b in zip(ours.values, theirs.values, strict=True)))


def timed(work: Callable[[], object]) -> Cost:
    """Wall and CPU time of a piece of work in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(wall_ms=(time.perf_counter() - wall) * 1e3, cpu_ms=(time.process_time() - cpu) * 1e3)
