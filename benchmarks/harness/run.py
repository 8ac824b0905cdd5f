"""State of one run of the benchmarks: options, results so far and skipped cases."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from benchmarks.harness.row import Row

T = TypeVar("T")


@dataclass
class Run:
    """`facts` are measurements that later cases use. `time_limit_s` is for all cases together. `skipped` names the rows left out."""

    quick: bool
    log: Callable[[str], None]
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    time_limit_s: float = float("inf")
    started: float = field(default_factory=time.monotonic)

    @property
    def remaining_s(self) -> float:
        """Seconds that remain of the time limit, at least 0."""
        return max(0.0, self.time_limit_s - (time.monotonic() - self.started))

    def skip(self, what: str) -> None:
        """Record a skipped case, with its reason, for the log and the results."""
        self.skipped.append(what)
        self.log(f"skipped: {what}")

    def choose(self, quick: T, full: T) -> T:
        """Return the first value in a quick run and the second in a full one."""
        return quick if self.quick else full
