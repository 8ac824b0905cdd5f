"""One run of the benchmarks: how thorough it is, and whom it tells how far it has come."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from benchmarks.row import Row

T = TypeVar("T")


@dataclass
class Run:
    """`rows` are the results so far, which later promises (the price) build on. `longest_s`, where there is one, is for all together.

    `left_out` names the rows that this run does without.
    """

    quick: bool
    say: Callable[[str], None]
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    longest_s: float = float("inf")
    began: float = field(default_factory=time.monotonic)

    @property
    def left_s(self) -> float:
        """What is left of the time for all promises together."""
        return self.longest_s - (time.monotonic() - self.began)

    def leave_out(self, what: str) -> None:
        """Say now, and again below the table, that there is no such row this time."""
        self.left_out.append(what)
        self.say(f"left out: {what}")

    def pick(self, quick: T, full: T) -> T:
        """What fits the thoroughness."""
        return quick if self.quick else full
