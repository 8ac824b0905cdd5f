"""The local service of the durable execution SDK, composed in this process instead of behind a port.

It is composed like `WebRunner.start` of `aws_durable_execution_sdk_python_testing` 1.4, with four differences:
invocations go directly to the local execution environments, executions have ARNs in Lambda's form, a failed invocation
is retried sooner, and no wake-up is lost.
"""

from __future__ import annotations

import json
import math
import re
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from aws_durable_execution_sdk_python.lambda_service import ErrorObject, OperationAction, OperationSubType
from aws_durable_execution_sdk_python_testing.checkpoint.processor import CheckpointProcessor
from aws_durable_execution_sdk_python_testing.child_dispatcher import UnconfiguredChildDispatcher
from aws_durable_execution_sdk_python_testing.clock import RealClock, SkipClock
from aws_durable_execution_sdk_python_testing.exceptions import (
    AwsApiException,
    DurableFunctionsTestError,
    InvalidParameterValueException,
    UnknownRouteError,
)
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.executor import Executor
from aws_durable_execution_sdk_python_testing.invoker import InvokeResponse, LambdaInvoker
from aws_durable_execution_sdk_python_testing.model import CheckpointDurableExecutionResponse, StartDurableExecutionInput
from aws_durable_execution_sdk_python_testing.scheduler import Scheduler
from aws_durable_execution_sdk_python_testing.stores.memory import InMemoryExecutionStore
from aws_durable_execution_sdk_python_testing.web import handlers, routes
from aws_durable_execution_sdk_python_testing.web.models import HTTPRequest
from aws_durable_execution_sdk_python_testing.worker.registry import ExecutionRegistry

from lambdas.contract.durable_quotas import MAX_CHECKPOINT_BYTES, MAX_OPERATIONS, MAX_PAYLOAD_BYTES
from sandbox.aws.http_messages import Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.aws.http_messages import Request
    from sandbox.functions.execution_environment import InvocationResult
    from sandbox.functions.function import Function

# The service waits 5 s after a failed invocation; Lambda's delay is not documented, and a demo should not wait.
_RETRY_AFTER_S = 1
# Source: https://docs.aws.amazon.com/lambda/latest/api/API_OperationUpdate.html
OPERATION_NAME = re.compile(r"[\x20-\x7E]{1,256}")
# An execution is started by Invoke, not through this API. Health, metrics and endpoint changes belong to the runner.
_HANDLERS: dict[type, type] = {
    routes.GetDurableExecutionRoute: handlers.GetDurableExecutionHandler,
    routes.GetDurableExecutionHistoryRoute: handlers.GetDurableExecutionHistoryHandler,
    routes.GetDurableExecutionStateRoute: handlers.GetDurableExecutionStateHandler,
    routes.CheckpointDurableExecutionRoute: handlers.CheckpointDurableExecutionHandler,
    routes.StopDurableExecutionRoute: handlers.StopDurableExecutionHandler,
    routes.ListDurableExecutionsByFunctionRoute: handlers.ListDurableExecutionsByFunctionHandler,
    routes.CallbackSuccessRoute: handlers.SendDurableExecutionCallbackSuccessHandler,
    routes.CallbackFailureRoute: handlers.SendDurableExecutionCallbackFailureHandler,
    routes.CallbackHeartbeatRoute: handlers.SendDurableExecutionCallbackHeartbeatHandler,
}


@dataclass
class Usage:
    """What an execution has used of its quotas: durable operations as AWS meters them, and payload in bytes."""

    operations: int = 0
    payload_bytes: int = 0

    def add(self, update: Any) -> None:
        """Count one update of a checkpoint: a started operation, a retry, or a poll of a wait for a condition."""
        is_poll = update.sub_type == OperationSubType.WAIT_FOR_CONDITION and update.action is not OperationAction.START
        self.operations += update.action in (OperationAction.START, OperationAction.RETRY) or is_poll
        self.payload_bytes += len((update.payload or "").encode())


class _Executor(Executor):
    """Uses execution ARNs in Lambda's form, and enforces the quotas of an execution.

    What the service answers beyond the quotas is not documented; here the execution fails.
    Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html
    """

    RETRY_BACKOFF_SECONDS = _RETRY_AFTER_S

    def __init__(self, **dependencies: Any) -> None:
        super().__init__(**dependencies)
        self.usage: dict[str, Usage] = {}
        self.max_operations = MAX_OPERATIONS
        self.max_payload_bytes = MAX_PAYLOAD_BYTES

    def _checkpoint_execution(
        self, execution_arn: str, checkpoint_token: str, updates: Any = None, client_token: str | None = None
    ) -> CheckpointDurableExecutionResponse:
        for update in updates or ():
            if len((update.payload or "").encode()) > MAX_CHECKPOINT_BYTES:
                message = f"{update.operation_type.value} output payload size must be less than or equal to {MAX_CHECKPOINT_BYTES} bytes"
                raise InvalidParameterValueException(message)
            if update.name is not None and not OPERATION_NAME.fullmatch(update.name):
                raise InvalidParameterValueException(f"the operation name {update.name!r} does not match {OPERATION_NAME.pattern}")
        answer = super()._checkpoint_execution(execution_arn, checkpoint_token, updates, client_token)
        usage = self.usage.setdefault(execution_arn, Usage())
        for update in updates or ():
            usage.add(update)
        if usage.operations > self.max_operations or usage.payload_bytes > self.max_payload_bytes:
            quota = f"{self.max_operations} durable operations and {self.max_payload_bytes} bytes of payload"
            if not self.get_execution(execution_arn).is_complete:
                self.fail_execution(
                    execution_arn, ErrorObject(f"the execution exceeds {quota}", "DurableExecutionLimitExceeded", None, None)
                )
        return answer

    def _create_execution(self, input: StartDurableExecutionInput, parent_execution_arn: str | None = None) -> Any:  # noqa: A002
        execution = Execution.new(input=input)
        function = f"arn:aws:lambda:{self._region}:{input.account_id}:function:{input.function_name}:{input.function_qualifier}"
        execution.durable_execution_arn = f"{function}/durable-execution/{input.execution_name}/{input.invocation_id}"
        execution.region = self._region
        execution.parent_execution_arn = parent_execution_arn
        execution.start(now=self._clock.now())
        self._store.save(execution)
        return execution

    def _fire_due_operations(self, execution_arn: str) -> bool:
        """Complete the due operations, and invoke the handler in the same step.

        The service invokes the handler only after its event loop runs again. An invocation that ends in between finds no pending operation
        and cancels that wake-up, so the handler is never invoked: `_schedule_earliest_pending` of version 1.4.
        """
        if super()._fire_due_operations(execution_arn):
            self._invoke_execution(execution_arn)
        return False


class _PoolInvoker(LambdaInvoker):
    """Runs handlers in the local environments; everything else is the service's own invoker."""

    def __init__(self, run: Callable[[str, str, bytes], InvocationResult]) -> None:
        super().__init__(lambda_client=None)
        self._run = run

    def invoke(self, function_name: str, input: Any, *_: Any, **__: Any) -> InvokeResponse:  # noqa: A002
        function, colon, qualifier = function_name.partition(":")  # the service omits the qualifier $LATEST
        ended = self._run(function, qualifier if colon else "$LATEST", json.dumps(input.to_json_dict()).encode())
        if ended.failed:
            raise DurableFunctionsTestError(f"the invocation failed: {ended.payload.decode(errors='replace')}")
        return InvokeResponse.from_payload(ended.payload, ended.request_id or f"local-{uuid.uuid4()}")


class DurableService:
    """Durable executions of all functions. `run(function name, qualifier, payload)` runs a handler once.

    `skip_time`: waits of the workflow end at once, while its history keeps their real durations.
    """

    def __init__(
        self, run: Callable[[str, str, bytes], InvocationResult], *, region: str, skip_time: bool = False, invocation_timeout_s: int = 900
    ) -> None:
        clock = self._clock = SkipClock() if skip_time else RealClock()
        self._store = InMemoryExecutionStore()
        self._scheduler = Scheduler()
        self._registry = ExecutionRegistry(self._store, self._scheduler)
        processor = CheckpointProcessor(self._store, self._scheduler, clock=clock)
        self._executor = _Executor(
            store=self._store,
            scheduler=self._scheduler,
            invoker=_PoolInvoker(run),
            checkpoint_processor=processor,
            invocation_timeout_seconds=invocation_timeout_s,
            registry=self._registry,
            clock=clock,
            child_dispatcher=UnconfiguredChildDispatcher(),
            region=region,
        )
        processor.add_execution_observer(self._executor)
        processor.set_chained_invoke_preflight(self._executor.preflight_chained_invoke)
        self._router = routes.Router(list(_HANDLERS))
        self._handlers = {route: handler(self._executor) for route, handler in _HANDLERS.items()}
        self._scheduler.start()  # type: ignore[no-untyped-call]

    def configure(self, *, retry_after_s: float | None = None, most_failures: int | None = None) -> None:
        """Set the delay before a failed invocation is retried, and the number of failures after which an execution fails."""
        if retry_after_s is not None:
            self._executor.RETRY_BACKOFF_SECONDS = retry_after_s  # type: ignore[assignment]  # declared whole, slept as it is
        if most_failures is not None:
            self._executor.MAX_CONSECUTIVE_FAILED_ATTEMPTS = most_failures

    def limit(self, *, max_operations: int | None = None, max_payload_bytes: int | None = None) -> None:
        """Lower the quotas of an execution, so that a test runs into one soon."""
        self._executor.max_operations = max_operations or self._executor.max_operations
        self._executor.max_payload_bytes = max_payload_bytes or self._executor.max_payload_bytes

    def usage(self, arn: str) -> Usage:
        """What the execution has used of its quotas so far."""
        return self._executor.usage.get(arn, Usage())

    def close(self) -> None:
        self._executor.shutdown()
        self._registry.shutdown()
        self._scheduler.stop()  # type: ignore[no-untyped-call]

    def start(self, function: Function, qualifier: str, name: str, payload: str) -> str:
        """Start an execution; returns its ARN. The first invocation follows asynchronously."""
        begun = self._executor.start_execution(
            StartDurableExecutionInput(
                account_id=function.account,
                function_name=function.name,
                function_qualifier=qualifier,
                execution_name=name,
                execution_timeout_seconds=function.execution_timeout_s,
                execution_retention_period_days=max(1, math.ceil(function.history_retention_s / 86_400)),
                invocation_id=str(uuid.uuid4()),
                input=payload,
            )
        )
        return str(begun.execution_arn)

    def is_forgotten(self, arn: str, retention_s: float) -> bool:
        """Whether an execution ended so long ago that its history is deleted."""
        ended_at = self._executor.get_execution_details(arn).end_timestamp
        return ended_at is not None and self._clock.now() - ended_at > timedelta(seconds=retention_s)

    def wait(self, arn: str, timeout_s: float) -> Any:
        """Wait for the end of an execution; returns the answer of GetDurableExecution, whether it ended or not."""
        self._executor.wait_until_complete(arn, timeout_s)
        return self._executor.get_execution_details(arn)

    def __call__(self, request: Request) -> Response | None:
        """Answer a call of the durable execution API; None for other calls."""
        try:
            route = self._router.find_route(request.path, request.method)
        except UnknownRouteError:
            return None
        try:
            answer = self._handlers[type(route)].handle(route, _sdk_request(route, request))
        except AwsApiException as refused:
            return _error(refused.http_status_code, refused.to_dict(), type(refused).__name__)
        if answer.status_code >= 400:
            return _error(answer.status_code, answer.body, str(answer.body.get("Type", "ServiceException")))
        return Response(answer.status_code, answer.body_to_bytes() if answer.body else b"{}", dict(answer.headers))


def _sdk_request(route: Any, request: Request) -> HTTPRequest:
    read = HTTPRequest.from_raw_bytes if isinstance(route, routes.BytesPayloadRoute) else HTTPRequest.from_bytes
    return read(
        body_bytes=request.body,
        method=request.method,
        path=route,
        headers=dict(request.headers),
        query_params=parse_qs(request.query),
    )


def _error(status: int, body: dict[str, Any], code: str) -> Response:
    """An error in the form of boto3, which finds the modelled exception by this header."""
    return json_response(status, body, {"x-amzn-ErrorType": code})
