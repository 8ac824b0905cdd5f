"""The steps of an AWS Lambda durable function: the durable execution SDK stores each result as a checkpoint."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from aws_durable_execution_sdk_python import CallbackError, CallbackTimeoutError, DurableContext
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration, StepConfig
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.serdes import SerDes, SerDesContext
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision

from lambdas.application.codec import decode
from lambdas.application.workflow_steps import ENVELOPE_BYTES, Meter, PollSchedule, StepId, checkpoint_text, send_request
from lambdas.contract.approval import decode_plan
from lambdas.notifications.message_context import ApprovalAnswer

R = TypeVar("R")
MAX_NAME_LENGTH: Final = 300
"""Characters of the name that an approval's answer gives."""
MAX_ANSWER_BYTES: Final = 1024
"""Payload that a callback counts as: the answer, whose length only the first run knows."""


class _Codec(SerDes[Any]):
    """Checkpoints of one result type as plain JSON: the SDK's own envelope of type tags makes them several times larger."""

    def __init__(self, result: type[Any]) -> None:
        self._result = result

    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:  # the SDK's signature
        return checkpoint_text(value)

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:  # the SDK's signature
        return decode(self._result, json.loads(data))


@dataclass(frozen=True)
class _Polled(Generic[R]):
    """The state of a poll, with the number of polls so far and their payload. So a replay counts what the first run counted."""

    state: R
    polls: int = 0
    payload_bytes: int = 0

    def after(self, state: R) -> "_Polled[R]":
        size = len(checkpoint_text(state)) + ENVELOPE_BYTES
        return _Polled(state, self.polls + 1, self.payload_bytes + size)


class _PolledCodec(SerDes[Any]):
    """Checkpoints of the polls of one state type: `[polls, payload bytes, state]`."""

    def __init__(self, state: type[Any]) -> None:
        self._state = state

    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:  # the SDK's signature
        return f"[{value.polls},{value.payload_bytes},{checkpoint_text(value.state)}]"

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:  # the SDK's signature
        polls, payload_bytes, state = json.loads(data)
        return _Polled(decode(self._state, state), polls, payload_bytes)


class DurableSteps:
    """Steps that survive a crash between any two of them. `meter` counts them; a replay restores the count."""

    def __init__(self, context: DurableContext) -> None:
        self._context = context
        self.meter = Meter()

    @property
    def must_hand_over(self) -> bool:
        """Whether the execution nears a quota."""
        return self.meter.is_low

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        """One checkpointed operation. It runs at least once, so `do` is idempotent.

        A step returns what may succeed later as its result. What it raises is a defect, which the SDK's six attempts would only repeat.
        """
        config = StepConfig(retry_strategy=lambda _error, _attempt: RetryDecision.no_retry(), serdes=_Codec(result))
        stored: R = self._context.step(lambda _: do(), name=str(step), config=config)
        self.meter.add(1, len(checkpoint_text(stored)))
        return stored

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        """One operation, and one more for each poll; the function ends between two of them."""

        def decide(polled: _Polled[R], attempt: int) -> WaitForConditionDecision:
            delay = None if is_settled(polled.state) else schedule.delay_s(attempt)
            if delay is None:
                return WaitForConditionDecision.stop_polling()
            return WaitForConditionDecision.continue_waiting(Duration(seconds=delay))

        config = WaitForConditionConfig(wait_strategy=decide, initial_state=_Polled(initial), serdes=_PolledCodec(type(initial)))
        polled: _Polled[R] = self._context.wait_for_condition(lambda former, _: former.after(check(former.state)), config, name=str(step))
        self.meter.add(1 + polled.polls, polled.payload_bytes)
        return polled.state

    def pause(self, step: StepId, seconds: int) -> None:
        """A timer of the service; the function ends during the wait."""
        self._context.wait(Duration(seconds=max(1, seconds)), name=str(step))
        self.meter.add(1, 0)

    def ask(self, step: StepId, send: Callable[[str], bool], timeout_s: int) -> ApprovalAnswer:
        """A callback that chat or the command line completes by its id."""
        callback = self._context.create_callback(name=str(step), config=CallbackConfig(timeout=Duration(seconds=timeout_s)))
        self.meter.add(1, MAX_ANSWER_BYTES)
        send_request(self, step, callback.callback_id, send)
        try:
            return callback_answer(callback.result())
        except CallbackTimeoutError:
            return ApprovalAnswer(approved=False, timed_out=True)
        except CallbackError:  # the reject button in chat fails the callback
            return ApprovalAnswer(approved=False)


def callback_answer(result: Any) -> ApprovalAnswer:
    """The answer of a completed callback.

    The approve button in chat gives the plan's digest; the command line gives `{"approved": bool, "by": name, "plan": digest}`. Any other
    text approves no plan, and any other object is a rejection.
    """
    text = result.decode(errors="replace") if isinstance(result, bytes) else result
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        by = str(value.get("by", "unknown"))[:MAX_NAME_LENGTH]
        return ApprovalAnswer(approved=value.get("approved") is True, plan=decode_plan(str(value.get("plan", ""))), by=by)
    return ApprovalAnswer(approved=True, plan=decode_plan(text.strip().strip('"')) if isinstance(text, str) else "")
