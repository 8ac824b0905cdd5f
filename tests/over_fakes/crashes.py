"""Steps whose results are remembered as a durable execution remembers them, and a process that can be killed at each of their edges."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from lambdas.application.workflow_steps import SENDING, TIMED_OUT, Json, PollSchedule, sent
from tests.over_fakes.performance import StillWatching

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_BYTES = 256 * 1024
"""What one checkpoint may hold.

Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-functions.html
"""


class Killed(BaseException):
    """The process is gone. No Exception, so that nothing on the way takes it for a failure."""


class Phase(StrEnum):
    """The edges of a step."""

    BEFORE = "before"
    NOT_REMEMBERED = "after its effect, before its checkpoint"
    REMEMBERED = "after its checkpoint"


Point = tuple[str, int, Phase]
"""A step's name, its attempt, and the edge."""


@dataclass
class Journal:
    """What the service holds of one execution: steps in the order in which they first began, their results, and waits under way."""

    names: list[str] = field(default_factory=list)
    results: dict[str, Json] = field(default_factory=dict)
    under_way: dict[str, tuple[Json, int]] = field(default_factory=dict)
    passed: list[Point] = field(default_factory=list)


@dataclass
class JournaledSteps:
    """Steps over a journal. `kill` says at which edges the process ends; an edge is met once unless its step is repeated."""

    journal: Journal
    sleep: Callable[[float], None]
    kill: Callable[[Point], bool] = field(default=lambda _: False)
    answer: Callable[[str], Json] = field(default=lambda _: dict(TIMED_OUT))
    watches: bool = False
    _position: int = 0

    def once(self, name: str, do: Callable[[], Json]) -> Json:
        if (remembered := self._arrive(name)) is not None:
            return remembered
        self._edge(name, 1, Phase.BEFORE)
        result = self._kept(do())
        self._edge(name, 1, Phase.NOT_REMEMBERED)
        self.journal.results[name] = result
        self._edge(name, 1, Phase.REMEMBERED)
        return self._kept(result)

    def until(self, name: str, check: Callable[[Json], Json], settled: Callable[[Json], bool], patience: PollSchedule) -> Json:
        if " watch " in name and not self.watches:
            raise StillWatching
        if (remembered := self._arrive(name)) is not None:
            return remembered
        while name not in self.journal.results:
            self._attempt(name, check, settled, patience)
        return self._kept(self.journal.results[name])

    def _attempt(self, name: str, check: Callable[[Json], Json], settled: Callable[[Json], bool], patience: PollSchedule) -> None:
        state, attempts = self.journal.under_way.get(name, ({}, 0))
        attempt = attempts + 1
        self._edge(name, attempt, Phase.BEFORE)
        state = self._kept(check(self._kept(state)))
        self._edge(name, attempt, Phase.NOT_REMEMBERED)
        self.journal.under_way[name] = (state, attempt)
        delay = None if settled(state) else patience.delay_s(attempt)
        if delay is None:
            self.journal.results[name] = state if settled(state) else {**state, **TIMED_OUT}
        self._edge(name, attempt, Phase.REMEMBERED)
        self.sleep(delay or 0)

    def pause(self, name: str, seconds: int) -> None:
        if self._arrive(name) is None:
            self._edge(name, 1, Phase.BEFORE)
            self.sleep(seconds)
            self.journal.results[name] = {}
            self._edge(name, 1, Phase.REMEMBERED)

    def ask(self, name: str, put: Callable[[str], Json], timeout_s: int) -> Json:
        callback_id = f"callback-{name}"
        self.until(f"{name}: put", lambda _: put(callback_id), sent, SENDING)
        return self.once(name, lambda: self._answered(callback_id, timeout_s))

    def _answered(self, callback_id: str, timeout_s: int) -> Json:
        answer = self.answer(callback_id)
        if answer.get("timed_out"):
            self.sleep(timeout_s)
        return answer

    def _arrive(self, name: str) -> Json | None:
        """The remembered result, if there is one. A replay has to come by the same steps in the same order."""
        if self._position < len(self.journal.names):
            assert name == self.journal.names[self._position], f"a replay came to {name!r} where {self.journal.names[self._position]!r} was"
        else:
            assert name not in self.journal.names, f"two steps are called {name!r}"
            self.journal.names.append(name)
        self._position += 1
        remembered = self.journal.results.get(name)
        return None if remembered is None else self._kept(remembered)

    def _edge(self, name: str, attempt: int, phase: Phase) -> None:
        point = (name, attempt, phase)
        if self.kill(point):
            raise Killed(point)
        self.journal.passed.append(point)

    @staticmethod
    def _kept(value: Json) -> Json:
        """The value as it comes out of a checkpoint."""
        text = json.dumps(value)
        assert len(text) < MOST_BYTES
        kept: Json = json.loads(text)
        return kept
