"""Costs of interleaved runs of the product and its baselines, with medians, ratios and spread."""

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
    """Cost of one run. `cpu_ms` is of the measured process, not of the servers that it calls."""

    wall_ms: float
    cpu_ms: float = 0.0
    peak_mb: float = 0.0


@dataclass(frozen=True)
class Sample:
    """Values of several runs, in order."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Half the interquartile range divided by the median; 0 for fewer than three values."""
        if len(self.values) < _QUARTILES or not self.median:
            return 0.0
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return (high - low) / 2 / self.median


_QUARTILES: Final = 3


def interleave(contenders: Mapping[str, Measured], rounds: int) -> dict[str, list[Cost]]:
    """Run every contender once in each round. The order rotates, so that no contender always follows the same one."""
    names = list(contenders)
    found: dict[str, list[Cost]] = {name: [] for name in names}
    for n in range(rounds):
        for name in [*names[n % len(names) :], *names[: n % len(names)]]:
            found[name].append(contenders[name]())
    return found


def with_retries(measured: Measured, tries: int = 3) -> Measured:
    """Return the measurement with retries: the API server double may time out when it serves megabytes."""

    def retried() -> Cost:
        for _ in range(tries - 1):
            with suppress(RuntimeError):
                return measured()
        return measured()

    return retried


def sample(costs: Sequence[Cost], part: str) -> Sample:
    """Return one part of the costs: `wall_ms`, `cpu_ms` or `peak_mb`."""
    return Sample(tuple(float(getattr(cost, part)) for cost in costs))


def ratio(numerator: Sample, denominator: Sample) -> Sample:
    """Return the ratio of each round. Other load on the machine affects both values of a round."""
    return Sample(tuple(a / b for a, b in zip(numerator.values, denominator.values, strict=True)))


def timed(work: Callable[[], object]) -> Cost:
    """Return the wall and CPU time of a call in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Cost(wall_ms=(time.perf_counter() - wall) * 1e3, cpu_ms=(time.process_time() - cpu) * 1e3)
