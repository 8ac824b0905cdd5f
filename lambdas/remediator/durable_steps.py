"""The steps of an AWS Lambda durable function: the durable execution SDK stores each result as a checkpoint."""

import json
from collections.abc import Callable
from typing import Any, Final, TypeVar

from aws_durable_execution_sdk_python import CallbackError, CallbackTimeoutError, DurableContext
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration, StepConfig
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.serdes import SerDes, SerDesContext
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision

from lambdas.application.workflow_steps import PollSchedule, StepId, send_request
from lambdas.notifications.message_context import ApprovalAnswer
from lambdas.remediator.codec import decode, encode

R = TypeVar("R")
MAX_NAME_LENGTH: Final = 300
"""Characters of the name that an approval's answer gives."""


class _Codec(SerDes[Any]):
    """Checkpoints of one result type as plain JSON: the SDK's own envelope of type tags makes them several times larger."""

    def __init__(self, result: type[Any]) -> None:
        self._result = result

    def serialize(self, value: Any, serdes_context: SerDesContext) -> str:  # the SDK's signature
        return json.dumps(encode(value), separators=(",", ":"))

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Any:  # the SDK's signature
        return decode(self._result, json.loads(data))


class DurableSteps:
    """Steps that survive a crash between any two of them."""

    def __init__(self, context: DurableContext) -> None:
        self._context = context

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        """One checkpointed operation. It runs at least once, so `do` is idempotent.

        A step returns what may succeed later as its result. What it raises is a defect, which the SDK's six attempts would only repeat.
        """
        config = StepConfig(retry_strategy=lambda _error, _attempt: RetryDecision.no_retry(), serdes=_Codec(result))
        stored: R = self._context.step(lambda _: do(), name=str(step), config=config)
        return stored

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        """One operation for all polls; the function ends between two of them."""

        def decide(state: R, attempt: int) -> WaitForConditionDecision:
            delay = None if is_settled(state) else schedule.delay_s(attempt)
            if delay is None:
                return WaitForConditionDecision.stop_polling()
            return WaitForConditionDecision.continue_waiting(Duration(seconds=delay))

        config = WaitForConditionConfig(wait_strategy=decide, initial_state=initial, serdes=_Codec(type(initial)))
        state: R = self._context.wait_for_condition(lambda former, _: check(former), config, name=str(step))
        return state

    def pause(self, step: StepId, seconds: int) -> None:
        """A timer of the service; the function ends meanwhile."""
        self._context.wait(Duration(seconds=max(1, seconds)), name=str(step))

    def ask(self, step: StepId, send: Callable[[str], bool], timeout_s: int) -> ApprovalAnswer:
        """A callback that chat or the command line completes by its id."""
        callback = self._context.create_callback(name=str(step), config=CallbackConfig(timeout=Duration(seconds=timeout_s)))
        send_request(self, step, callback.callback_id, send)
        try:
            return _answer(callback.result())
        except CallbackTimeoutError:
            return ApprovalAnswer(approved=False, timed_out=True)
        except CallbackError:  # the reject button in chat fails the callback
            return ApprovalAnswer(approved=False)


def _answer(result: Any) -> ApprovalAnswer:
    """The answer of a completed callback.

    The approve button in chat gives no result; the command line gives `{"approved": bool, "by": name}`. Anything else is a rejection.
    """
    if result in (None, ""):
        return ApprovalAnswer(approved=True)
    try:
        value = json.loads(result) if isinstance(result, str | bytes) else result
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return ApprovalAnswer(approved=False, by="unknown")
    return ApprovalAnswer(approved=value.get("approved") is True, by=str(value.get("by", "unknown"))[:MAX_NAME_LENGTH])
