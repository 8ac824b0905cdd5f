"""The steps of a durable execution in the simulation: journaled, metered as AWS meters them, and suspended in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from lambdas.application.workflow_steps import ENVELOPE_BYTES, Meter, PollSchedule, StepId, send_request
from lambdas.contract.durable_quotas import MAX_CHECKPOINT_BYTES, MAX_OPERATIONS, MAX_PAYLOAD_BYTES
from lambdas.notifications.message_context import ApprovalAnswer
from tests.over_fakes.journaled_steps import Journal, JournaledSteps, Phase
from tests.simulation.invariants import InvariantViolated
from tests.simulation.process import Crashed

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.process import Process

R = TypeVar("R")


@dataclass
class Execution:
    """What the service keeps of one execution.

    `hand_over_after` is the number of operations after which this story hands over; None: at the real quota. `decoded` are the results of
    steps by name, each with the text that it was read from: a replay reads every text again.
    """

    arn: str
    journal: Journal = field(default_factory=Journal)
    hand_over_after: int | None = None
    is_stopped: bool = False
    decoded: dict[str, tuple[str, Any]] = field(default_factory=dict)


@dataclass(kw_only=True)
class SimulatedSteps(JournaledSteps):
    """Steps over a journal. `process` runs them, `ask_person` gets a callback id and the seconds to wait, and returns the answer.

    `forget_reads` is called after an attempt that gave no result, and so keeps nothing of what it has read.
    """

    process: Process
    execution: Execution
    crashes: Callable[[Phase], bool]
    ask_person: Callable[[str, int], ApprovalAnswer]
    forget_reads: Callable[[], None]
    watches: bool = True
    meter: Meter = field(default_factory=Meter)

    @property
    def must_hand_over(self) -> bool:  # type: ignore[override]
        limit = self.execution.hand_over_after
        return self.meter.is_low or (limit is not None and self.meter.operations >= limit)

    @must_hand_over.setter
    def must_hand_over(self, _: bool) -> None:
        """The meter decides."""

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        value = super().once(step, do, result)
        self._count(str(step), 1)
        return value

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        def attempt(former: R) -> R:
            result = check(former)
            if getattr(result, "error", ""):
                self.forget_reads()
            return result

        value = super().until(step, initial, attempt, is_settled, schedule)
        self._count(str(step), 1 + self.journal.polls[str(step)][1])
        return value

    def pause(self, step: StepId, seconds: int) -> None:
        super().pause(step, seconds)
        self._count(str(step), 1)

    def ask(self, step: StepId, send: Callable[[str], bool], timeout_s: int) -> ApprovalAnswer:
        callback_id = f"callback-{self.execution.arn.rsplit('/', 2)[-2]}-{step.iteration}"
        send_request(self, step, callback_id, send)
        return self.once(step, lambda: self.ask_person(callback_id, timeout_s), ApprovalAnswer)

    def _stored(self, name: str, result: type[R]) -> R:
        text, value = self.execution.decoded.get(name, ("", None))
        if text != self.journal.results[name]:
            text, value = self.journal.results[name], super()._stored(name, result)
            self.execution.decoded[name] = text, value
        return value  # type: ignore[no-any-return]

    def _count(self, name: str, operations: int) -> None:
        size = len(self.journal.results[name]) + ENVELOPE_BYTES
        self.meter.add(operations, size * max(1, operations - 1))
        if size > MAX_CHECKPOINT_BYTES or self.meter.operations > MAX_OPERATIONS or self.meter.payload_bytes > MAX_PAYLOAD_BYTES:
            raise InvariantViolated(f"{self.execution.arn} exceeds a quota at step {name}: {self.meter}")

    def _reach(self, name: str, attempt: int, phase: Phase) -> None:
        """A moment at which the process may end. What was called before a checkpoint need not be repeated after it."""
        if self.execution.is_stopped and phase is not Phase.BEFORE:
            raise Crashed  # the service takes no checkpoint of an execution that has ended
        if self.crashes(phase):
            raise Crashed
