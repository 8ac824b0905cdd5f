"""The port that workflows are written against: run a step once, poll until a condition holds, pause, and request an approval."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Final, Protocol, TypeVar

from lambdas.application.codec import encode
from lambdas.contract.durable_quotas import HAND_OVER_AT, MAX_OPERATIONS, MAX_PAYLOAD_BYTES
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
    HAND_OVER = "hand-over"
    DIGEST = "digest"
    SELF_TEST = "self-test"


@dataclass(frozen=True)
class StepId:
    """Identifies one step of a workflow run; `str()` gives its durable name, such as `1.2 apply replace-canary-pod`.

    `position` is the number of an action within its plan, from 1. `part` distinguishes the steps of one purpose in one iteration: the
    kind of an action or of a notification, or the number of a watch.
    """

    purpose: StepPurpose
    iteration: int = 0
    position: int = 0
    part: str = ""

    def __str__(self) -> str:
        number = f"{self.iteration}.{self.position}" if self.position else str(self.iteration or "")
        return " ".join(filter(None, (number, self.purpose, self.part)))


MAX_DELAY_S: Final = 900
"""The longest delay between two polls that the time waited so far may give."""


@dataclass(frozen=True, kw_only=True)
class PollSchedule:
    """How often a step polls: after `first_s` seconds, then each delay is `growth` times longer, up to `most_s`.

    In a long wait the delay grows further: up to `share` of the time waited so far, and `MAX_DELAY_S`. So what ends a wait is noticed after
    at most that share of the time that it took, and a wait of six hours needs about twice the polls of one of ten minutes. Each poll is a
    durable operation. The polling ends after `timeout_s` in all.
    """

    timeout_s: int
    first_s: int = 1
    most_s: int = 30
    growth: float = 1.5
    share: float = 0.05

    def delay_s(self, attempt: int) -> int | None:
        """Whole seconds to wait after this attempt (from 1); None when the time is up."""
        return next(islice(self._delays(), attempt - 1, None), None)

    @property
    def polls(self) -> int:
        """The number of polls when none of them settles the wait."""
        return 1 + sum(1 for _ in self._delays())

    def _delays(self) -> Iterator[int]:
        waited, growing = 0, float(self.first_s)
        while waited < self.timeout_s:
            most = max(self.most_s, min(self.share * waited, MAX_DELAY_S))
            delay = min(max(1, round(min(growing, most))), max(1, self.timeout_s - waited))
            yield delay
            waited += delay
            growing = min(growing * self.growth, MAX_DELAY_S)


NOTIFY_SCHEDULE: Final = PollSchedule(timeout_s=1800, first_s=5, most_s=60)
"""How long a message that could not be delivered is sent again."""


ENVELOPE_BYTES: Final = 64
"""What the durable steps add to the state of a poll: the polls so far, and their payload."""


def checkpoint_text(value: object) -> str:
    """The value as a checkpoint holds it."""
    return json.dumps(encode(value), separators=(",", ":"))


@dataclass
class Meter:
    """The durable operations and the payload that a run has used, counted as AWS meters them."""

    operations: int = 0
    payload_bytes: int = 0

    def add(self, operations: int, payload_bytes: int) -> None:
        """Count these operations, with their payload in all."""
        self.operations += operations
        self.payload_bytes += payload_bytes

    @property
    def used(self) -> float:
        """The used part of the quota that is used most; 1 is all of it."""
        return max(self.operations / MAX_OPERATIONS, self.payload_bytes / MAX_PAYLOAD_BYTES)

    @property
    def is_low(self) -> bool:
        """Whether so much is used that a fresh execution has to continue."""
        return self.used >= HAND_OVER_AT


class Steps(Protocol):
    """The operations that a workflow has besides computing. Step ids are unique within a run. Results are small frozen dataclasses."""

    @property
    def must_hand_over(self) -> bool:
        """Whether the execution nears a quota, so that a fresh one has to continue. A replay gives the same answer."""
        ...

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        """The result of `do`. A replay returns the stored result instead of running `do` again."""
        ...

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        """The first settled result of `check`, or its last one when the schedule's time is up.

        `check` gets the result before, at first `initial`.
        """
        ...

    def pause(self, step: StepId, seconds: int) -> None:
        """Wait. A durable execution is suspended for this time."""
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

    `sleep` takes seconds; `answer` gets the callback id and returns the answer to an approval request. A `meter` counts what the same
    run would use as a durable execution.
    """

    sleep: Callable[[float], None]
    answer: Callable[[str], ApprovalAnswer] = field(default=lambda _: ApprovalAnswer(approved=False, timed_out=True))
    done: list[StepId] = field(default_factory=list)
    meter: Meter | None = None

    @property
    def must_hand_over(self) -> bool:
        """Whether a metered run nears a quota. Without a meter there is none."""
        return self.meter is not None and self.meter.is_low

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:  # only stored results need their type
        """Run it."""
        self.done.append(step)
        value = do()
        self._count(value)
        return value

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        """Poll in a loop."""
        self.done.append(step)
        self._count()
        state, attempt = initial, 0
        while True:
            state, attempt = check(state), attempt + 1
            self._count(state)
            if is_settled(state) or (delay := schedule.delay_s(attempt)) is None:
                return state
            self.sleep(delay)

    def pause(self, step: StepId, seconds: int) -> None:
        """Sleep."""
        self.done.append(step)
        self._count()
        self.sleep(seconds)

    def ask(self, step: StepId, send: Callable[[str], bool], timeout_s: int) -> ApprovalAnswer:  # answered at once
        """Send the request and return the answer at once."""
        self.done.append(step)
        self._count()
        callback_id = str(uuid.uuid4())
        send_request(self, step, callback_id, send)
        return self.answer(callback_id)

    def _count(self, payload: object = None) -> None:
        if self.meter:
            self.meter.add(1, 0 if payload is None else len(checkpoint_text(payload)) + ENVELOPE_BYTES)
