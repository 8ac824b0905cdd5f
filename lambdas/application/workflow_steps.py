"""The port that workflows are written against: run a step once, poll until a condition holds, pause, and request an approval."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from lambdas.notifications.message_context import ApprovalAnswer

R = TypeVar("R")


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
    """How often a step polls: after `first_s` seconds, then each delay is `growth` times longer up to `most_s`, for `timeout_s` in all."""

    timeout_s: int
    first_s: int = 1
    most_s: int = 30
    growth: float = 1.5

    def delay_s(self, attempt: int) -> int | None:
        """Whole seconds to wait after this attempt (from 1); None when the time is up."""
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


NOTIFY_SCHEDULE: Final = PollSchedule(timeout_s=1800, first_s=5, most_s=60)
"""How long a message that could not be delivered is sent again."""


class Steps(Protocol):
    """The operations that a workflow has besides computing. Step ids are unique within a run. Results are small frozen dataclasses."""

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        """The result of `do`. A replay returns the stored result instead of running `do` again."""
        ...

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        """The first settled result of `check`, or its last one when the schedule's time is up.

        `check` gets the result before, at first `initial`.
        """
        ...

    def pause(self, step: StepId, seconds: int) -> None:
        """Wait. A durable execution does not run meanwhile."""
        ...

    def ask(self, step: StepId, send: Callable[[str], bool], timeout_s: int) -> ApprovalAnswer:
        """The answer to an approval request, which `send` delivers under a callback id.

        `send` returns whether the request was delivered, and runs again where it was not.
        """
        ...


@dataclass(frozen=True)
class SendResult:
    """Whether an approval request was delivered."""

    is_sent: bool = False


def send_request(steps: Steps, step: StepId, callback_id: str, send: Callable[[str], bool]) -> None:
    """The part of an approval step that delivers its request."""
    delivery = replace(step, part="message")
    steps.until(delivery, SendResult(), lambda _: SendResult(send(callback_id)), lambda result: result.is_sent, NOTIFY_SCHEDULE)


@dataclass
class InProcessSteps:
    """Steps of this process, for the command line and for tests. No result is stored.

    `sleep` takes seconds; `answer` gets the callback id and returns the answer to an approval request.
    """

    sleep: Callable[[float], None]
    answer: Callable[[str], ApprovalAnswer] = field(default=lambda _: ApprovalAnswer(approved=False, timed_out=True))
    done: list[StepId] = field(default_factory=list)

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:  # only stored results need their type
        """Run it."""
        self.done.append(step)
        return do()

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        """Poll in a loop."""
        self.done.append(step)
        state, attempt = initial, 0
        while True:
            state, attempt = check(state), attempt + 1
            if is_settled(state) or (delay := schedule.delay_s(attempt)) is None:
                return state
            self.sleep(delay)

    def pause(self, step: StepId, seconds: int) -> None:
        """Sleep."""
        self.done.append(step)
        self.sleep(seconds)

    def ask(self, step: StepId, send: Callable[[str], bool], timeout_s: int) -> ApprovalAnswer:  # answered at once
        """Send the request and return the answer at once."""
        self.done.append(step)
        callback_id = str(uuid.uuid4())
        send_request(self, step, callback_id, send)
        return self.answer(callback_id)
