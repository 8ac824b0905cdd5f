"""Steps of an AWS Lambda durable function: checkpointed by the durable execution SDK."""

import json
from collections.abc import Callable
from typing import Any, Final

from aws_durable_execution_sdk_python import CallbackError, CallbackTimeoutError, DurableContext
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration, StepConfig
from aws_durable_execution_sdk_python.retries import RetryDecision
from aws_durable_execution_sdk_python.serdes import SerDes, SerDesContext
from aws_durable_execution_sdk_python.waits import WaitForConditionConfig, WaitForConditionDecision

from lambdas.application.workflow_steps import SENDING, TIMED_OUT, Json, PollSchedule, sent


class _PlainJson(SerDes[Json]):
    """Checkpoints as plain JSON: the SDK's own envelope of type tags makes them several times larger."""

    def serialize(self, value: Json, serdes_context: SerDesContext) -> str:  # the SDK's signature
        return json.dumps(value, separators=(",", ":"))

    def deserialize(self, data: str, serdes_context: SerDesContext) -> Json:  # the SDK's signature
        value: Json = json.loads(data)
        return value


_PLAIN: Final = _PlainJson()

# A step of ours never raises for what may succeed later: it retries by itself and returns its outcome. What is raised is a defect, and
# the SDK's default of six attempts would only repeat it.
_ONCE: Final = StepConfig(retry_strategy=lambda _error, _attempt: RetryDecision.no_retry(), serdes=_PLAIN)


class DurableSteps:
    """Steps that survive a crash between any two of them."""

    def __init__(self, context: DurableContext) -> None:
        self._context = context

    def once(self, name: str, do: Callable[[], Json]) -> Json:
        """One checkpointed step, at least once: `do` is idempotent."""
        result: Json = self._context.step(lambda _: do(), name=name, config=_ONCE)
        return result

    def until(self, name: str, check: Callable[[Json], Json], settled: Callable[[Json], bool], patience: PollSchedule) -> Json:
        """One operation however often it looks; the function ends in between."""

        def strategy(state: Json, attempt: int) -> WaitForConditionDecision:
            delay = None if settled(state) else patience.delay_s(attempt)
            return (
                WaitForConditionDecision.stop_polling()
                if delay is None
                else WaitForConditionDecision.continue_waiting(Duration(seconds=delay))
            )

        config: WaitForConditionConfig[Json] = WaitForConditionConfig(wait_strategy=strategy, initial_state={}, serdes=_PLAIN)
        state: Json = self._context.wait_for_condition(lambda former, _: check(former), config, name=name)
        return state if settled(state) else {**state, **TIMED_OUT}

    def pause(self, name: str, seconds: int) -> None:
        """A timer of the service; the function ends in between."""
        self._context.wait(Duration(seconds=max(1, seconds)), name=name)

    def ask(self, name: str, put: Callable[[str], Json], timeout_s: int) -> Json:
        """A callback that chat or the command line answers by its id."""
        callback = self._context.create_callback(name=name, config=CallbackConfig(timeout=Duration(seconds=timeout_s)))
        self.until(f"{name}: put", lambda _: put(callback.callback_id), sent, SENDING)
        try:
            return _answer(callback.result())
        except CallbackTimeoutError:
            return dict(TIMED_OUT)
        except CallbackError as error:  # the chat's reject button sends a failure
            return {"approved": False, "by": "chat", "words": str(error)[:300]}


def _answer(result: Any) -> Json:
    """`{"approved": bool, "by": who}` out of an answer.

    Chat's approve button succeeds the callback without a result; the command line says who answered and how. Anything else is a no.
    """
    if result in (None, ""):
        return {"approved": True, "by": "chat"}
    try:
        value = json.loads(result) if isinstance(result, str | bytes) else result
    except ValueError:
        value = None
    if not isinstance(value, dict):
        return {"approved": False, "by": "unknown", "words": "the answer was not understood"}
    return {"approved": value.get("approved") is True, "by": str(value.get("by", "unknown"))[:300]}
