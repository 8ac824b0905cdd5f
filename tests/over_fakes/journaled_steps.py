"""Steps that store their results as a durable execution does, in a process that can be killed before and after each checkpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from lambdas.application.codec import decode, encode
from lambdas.application.workflow_steps import PollSchedule, StepId, StepPurpose, send_request
from lambdas.notifications.message_context import ApprovalAnswer
from tests.over_fakes.scenario_run import WatchReached

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")
MOST_BYTES = 256 * 1024
"""Maximum size of one checkpoint.

Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-functions.html
"""


class Killed(BaseException):
    """The process was killed. It derives from BaseException, so that no handler catches it as a failure."""


class Phase(StrEnum):
    """The moments at which a process can be killed, for each attempt of a step."""

    BEFORE = "before the step"
    BEFORE_CHECKPOINT = "after its effect, before its checkpoint"
    AFTER_CHECKPOINT = "after its checkpoint"


Point = tuple[str, int, Phase]
"""The name of a step, its attempt, and the moment."""


@dataclass
class Journal:
    """The state of one execution in the service: step names in order of their first run, results, and polls that have not ended.

    Results and polls are the JSON text of their checkpoints.
    """

    names: list[str] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    polls: dict[str, tuple[str, int]] = field(default_factory=dict)
    passed: list[Point] = field(default_factory=list)


@dataclass
class JournaledSteps:
    """Steps over a journal. `kill` says at which points the process is killed."""

    journal: Journal
    sleep: Callable[[float], None]
    kill: Callable[[Point], bool] = field(default=lambda _: False)
    answer: Callable[[str], ApprovalAnswer] = field(default=lambda _: ApprovalAnswer(approved=False, timed_out=True))
    watches: bool = False
    _position: int = 0
    must_hand_over: bool = False

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        name = str(step)
        if not self._is_stored(name):
            self._reach(name, 1, Phase.BEFORE)
            checkpoint = _checkpoint(do())
            self._reach(name, 1, Phase.BEFORE_CHECKPOINT)
            self.journal.results[name] = checkpoint
            self._reach(name, 1, Phase.AFTER_CHECKPOINT)
        return self._stored(name, result)

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        if step.purpose is StepPurpose.WATCH and not self.watches:
            raise WatchReached
        name = str(step)
        if not self._is_stored(name):
            while name not in self.journal.results:
                self._attempt(name, initial, check, is_settled, schedule)
        return self._stored(name, type(initial))

    def _stored(self, name: str, result: type[R]) -> R:
        """The stored result of a step."""
        return decode(result, json.loads(self.journal.results[name]))

    def _attempt(self, name: str, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> None:
        former, attempts = self.journal.polls.get(name, (_checkpoint(initial), 0))
        attempt = attempts + 1
        self._reach(name, attempt, Phase.BEFORE)
        state = check(decode(type(initial), json.loads(former)))
        checkpoint = _checkpoint(state)
        self._reach(name, attempt, Phase.BEFORE_CHECKPOINT)
        self.journal.polls[name] = (checkpoint, attempt)
        delay = None if is_settled(state) else schedule.delay_s(attempt)
        if delay is None:
            self.journal.results[name] = checkpoint
        self._reach(name, attempt, Phase.AFTER_CHECKPOINT)
        self.sleep(delay or 0)

    def pause(self, step: StepId, seconds: int) -> None:
        name = str(step)
        if not self._is_stored(name):
            self._reach(name, 1, Phase.BEFORE)
            self.sleep(seconds)
            self.journal.results[name] = "{}"
            self._reach(name, 1, Phase.AFTER_CHECKPOINT)

    def ask(self, step: StepId, send: Callable[[str], bool], timeout_s: int) -> ApprovalAnswer:
        callback_id = f"callback-{step}"
        send_request(self, step, callback_id, send)
        return self.once(step, lambda: self._answered(callback_id, timeout_s), ApprovalAnswer)

    def _answered(self, callback_id: str, timeout_s: int) -> ApprovalAnswer:
        answer = self.answer(callback_id)
        if answer.timed_out:
            self.sleep(timeout_s)
        return answer

    def _is_stored(self, name: str) -> bool:
        """Whether the step has a stored result. A replay has to run the same steps in the same order."""
        if self._position < len(self.journal.names):
            expected = self.journal.names[self._position]
            assert name == expected, f"a replay ran {name!r} instead of {expected!r}"
        else:
            assert name not in self.journal.names, f"two steps are called {name!r}"
            self.journal.names.append(name)
        self._position += 1
        return name in self.journal.results

    def _reach(self, name: str, attempt: int, phase: Phase) -> None:
        point = (name, attempt, phase)
        if self.kill(point):
            raise Killed(point)
        self.journal.passed.append(point)


def _checkpoint(value: object) -> str:
    """The value as a checkpoint stores it."""
    text = json.dumps(encode(value))
    assert len(text) < MOST_BYTES
    return text
