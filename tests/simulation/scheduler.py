"""Virtual time: what is due runs in the order of its time, and time passes only between two of these."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING

from tests.world import NOON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Entry = tuple[datetime, int, "Callable[[], None]"]


@dataclass
class Scheduler:
    """The clock of the world, and everything that is due."""

    now: datetime = NOON
    _due: list[Entry] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)
    _end: datetime = NOON

    def at(self, time: datetime, do: Callable[[], None]) -> None:
        """Run `do` at this time, after everything that is due at the same time already."""
        heapq.heappush(self._due, (max(time, self.now), next(self._order), do))

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Run `do` after this time."""
        self.at(self.now + timedelta(seconds=seconds), do)

    def pass_time(self, seconds: float) -> bool:
        """Let this time pass, if nothing else is due in it. Returns whether it passed."""
        time = self.now + timedelta(seconds=seconds)
        if time > self._end or (self._due and self._due[0][0] <= time):
            return False
        self.now = time
        return True

    def run_until(self, end: datetime) -> None:
        """Run everything that is due by then."""
        self._end = end
        while self._due and self._due[0][0] <= end:
            time, _, do = heapq.heappop(self._due)
            self.now = max(self.now, time)
            do()
        self.now = end
