"""One run of the benchmarks: how thorough it is, and whom it tells how far it has come."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from benchmarks.row import Row

T = TypeVar("T")


@dataclass
class Run:
    """`rows` are the results so far, which later promises (the price) build on."""

    quick: bool
    say: Callable[[str], None]
    rows: list[Row] = field(default_factory=list)
    facts: dict[str, float] = field(default_factory=dict)

    def pick(self, quick: T, full: T) -> T:
        """What fits the thoroughness."""
        return quick if self.quick else full
