"""The port that the workflow is written against: run once and remember, wait until, pause, ask a person."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

Json = dict[str, Any]


class StepPurpose(StrEnum):
    """What a step of a workflow does. It is part of the step's durable name."""

    OPEN = "open"
    ASSESS = "assess"
    AWAIT_UPDATE = "await-update"
    REQUEST_APPROVAL = "request-approval"
    CLEAR_APPROVAL = "clear-approval"
    CLAIM = "claim"
    APPLY = "apply"
    CHECK_CANARY = "check-canary"
    REPLACE_PODS = "replace-pods"
    VERIFY = "verify"
    RESTORE = "restore"
    RELEASE = "release"
    NOTIFY = "notify"
    NOTIFY_AGAIN = "notify-again"
    PAUSE = "pause"
    WATCH = "watch"
    CLOSE = "close"
    DIGEST = "digest"


@dataclass(frozen=True)
class StepId:
    """Identifies one step of a workflow run; `str()` gives its durable name, such as `1.2 apply replace-canary-pod`.

    `position` is the number of an action within its plan, from 1. `part` tells apart the steps of one purpose in one iteration: the kind of
    an action or of a notification, or the number of a watch.
    """

    purpose: StepPurpose
    iteration: int = 0
    position: int = 0
    part: str = ""

    def __str__(self) -> str:
        number = f"{self.iteration}.{self.position}" if self.position else str(self.iteration or "")
        return " ".join(filter(None, (number, self.purpose, self.part)))


@dataclass(frozen=True, kw_only=True)
class PollSchedule:
    """How long and how often to look: seconds, growing by `growth` from `first_s` to `most_s`, until `timeout_s` have been waited."""

    timeout_s: int
    first_s: int = 1
    most_s: int = 30
    growth: float = 1.5

    def delay_s(self, attempt: int) -> int | None:
        """Whole seconds to wait after this attempt (from 1), or None when patience has ended."""
        waited = 0
        for n in range(1, attempt + 1):
            delay = max(1, round(min(self.first_s * self.growth ** (n - 1), self.most_s)))
            if n == attempt:
                return None if waited >= self.timeout_s else min(delay, max(1, self.timeout_s - waited))
            waited += delay
            if delay >= self.most_s:  # from here on every delay is the longest one
                rest = self.timeout_s - waited - (attempt - n - 1) * self.most_s
                return None if rest <= 0 else min(self.most_s, rest)
        return None


class Steps(Protocol):
    """What a workflow may do besides computing. Names are unique within a run. Results are JSON objects, small enough for a checkpoint."""

    def once(self, name: str, do: Callable[[], Json]) -> Json:
        """Run and remember: after a crash the remembered result is returned instead."""
        ...

    def until(self, name: str, check: Callable[[Json], Json], settled: Callable[[Json], bool], schedule: PollSchedule) -> Json:
        """Check (with the former state, at first empty) until settled or patience ends: the last state, with `timed_out` set then."""
        ...

    def pause(self, name: str, seconds: int) -> None:
        """Wait, at no cost where that is possible."""
        ...

    def ask(self, name: str, put: Callable[[str], Json], timeout_s: int) -> Json:
        """Put a question under a callback id and wait for the answer: `{"approved": bool, "by": who}`, or `{"timed_out": True}`.

        `put` gives `failed` where nobody could be told, and is then tried again.
        """
        ...


TIMED_OUT: Final = {"timed_out": True}
SENDING: Final = PollSchedule(timeout_s=1800, first_s=5, most_s=60)
"""How long a message is tried again that could not be sent when it was due."""


def sent(told: Json) -> bool:
    """Whether a message need not be tried again."""
    return not told.get("failed")


@dataclass
class InProcessSteps:
    """Steps of this process: for the command line and for tests. Nothing survives it.

    `sleep` takes seconds; `answer` is asked for approvals with the callback id and gives what `ask` returns.
    """

    sleep: Callable[[float], None] = time.sleep
    answer: Callable[[str], Json] = field(default=lambda _: dict(TIMED_OUT))
    done: list[str] = field(default_factory=list)

    def once(self, name: str, do: Callable[[], Json]) -> Json:
        """Run it."""
        self.done.append(name)
        return do()

    def until(self, name: str, check: Callable[[Json], Json], settled: Callable[[Json], bool], schedule: PollSchedule) -> Json:
        """Check in a loop."""
        self.done.append(name)
        state: Json = {}
        attempt = 0
        while True:
            state, attempt = check(state), attempt + 1
            if settled(state):
                return state
            delay = schedule.delay_s(attempt)
            if delay is None:
                return {**state, **TIMED_OUT}
            self.sleep(delay)

    def pause(self, name: str, seconds: int) -> None:
        """Sleep."""
        self.done.append(name)
        self.sleep(seconds)

    def ask(self, name: str, put: Callable[[str], Json], timeout_s: int) -> Json:  # whoever answers here needs no clock
        """Put the question and ask for the answer at once."""
        self.done.append(name)
        callback_id = str(uuid.uuid4())
        self.until(f"{name}: put", lambda _: put(callback_id), sent, SENDING)
        return self.answer(callback_id)
