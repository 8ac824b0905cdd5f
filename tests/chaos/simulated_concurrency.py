"""Several environments of a function in simulated time: one thread runs at a time, in an order that a simulated clock decides."""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, repeat
from typing import TYPE_CHECKING, Final

from tests.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TAKES_S: Final = {"incidents.signal": 0.01, "incidents.finish": 0.01, "eks.cluster": 0.15, "cluster.pods": 0.15}
"""Duration of calls in seconds: about 0.3 s for a full check, 0.01 s for a counted signal, as measured on loopback."""

Iteration = tuple[datetime, int, threading.Event]


@dataclass
class ConcurrentWorld(World):
    """A world in which calls take time. Time passes only while every thread waits, so the order of threads is deterministic."""

    checked_at: list[datetime] = field(default_factory=list)
    _waiting: list[Iteration] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=count)

    def raise_fault(self, method: str, *, after: bool = False) -> None:
        if method == "eks.cluster" and not after:
            self.checked_at.append(self.now)
        if not after:
            self.sleep(TAKES_S.get(method, 0.0))
        super().raise_fault(method, after=after)

    def sleep(self, seconds: float) -> None:
        """Let other threads run during the wait."""
        if seconds and self._waiting:
            turn = self._turn_at(self.now + timedelta(seconds=seconds))
            self._next()
            turn.wait()
        else:
            super().sleep(seconds)

    def sleep_until(self, moment: datetime) -> None:
        """Wait until this time; returns at once if it has passed."""
        self.sleep(max(0.0, (moment - self.now).total_seconds()))

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run each job in a thread and wait for all. The first error is raised."""
        failures: list[BaseException] = []
        turns = [self._turn_at(self.now) for _ in jobs]
        each = zip(jobs, turns, repeat(failures))  # the last one has no end
        threads = [threading.Thread(target=self._one, args=item, daemon=True) for item in each]
        for thread in threads:
            thread.start()
        self._next()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def _one(self, job: Callable[[], None], turn: threading.Event, failures: list[BaseException]) -> None:
        turn.wait()
        try:
            job()
        except BaseException as error:  # noqa: BLE001  # told by `run`
            failures.append(error)
        self._next()

    def _turn_at(self, moment: datetime) -> threading.Event:
        turn = threading.Event()
        heapq.heappush(self._waiting, (moment, next(self._order), turn))
        return turn

    def _next(self) -> None:
        if self._waiting:
            moment, _, turn = heapq.heappop(self._waiting)
            self.now = max(self.now, moment)
            turn.set()
