"""The Lambda API for local functions: Invoke for plain and durable ones, and the calls on durable executions."""

from __future__ import annotations

import logging
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sandbox.aws.http_messages import Request, Response, json_response
from sandbox.aws.service_model import operation_of, rest_json_input, service_model
from sandbox.functions.durable_service import DurableService
from sandbox.functions.function import configuration
from sandbox.functions.function_pool import FunctionPool

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.functions.execution_environment import InvocationResult
    from sandbox.functions.function import Function

_log = logging.getLogger(__name__)
_NAME = re.compile(r"^(?:arn:[^:]+:lambda:[^:]+:\d+:function:)?(?P<name>[A-Za-z0-9_-]+)(?::(?P<qualifier>[A-Za-z0-9$_-]+))?$")
# Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
_EXECUTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# An asynchronous invocation that fails is retried twice.
# Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
_ASYNC_RETRIES = 2


@dataclass(frozen=True)
class _Execution:
    """A named execution: its payload and its ARN."""

    payload: bytes
    arn: str


class LambdaApi:
    """Answers the `lambda` service. `retry_after_s` is the pause before each of the two asynchronous retries, which
    on Lambda is one and two minutes. `on_line(function, line)` receives the output of functions.
    `on_dead_letter(function, payload, error)` receives asynchronous events whose attempts all failed.
    `others` answers requests about functions that this API does not have.
    """

    def __init__(
        self,
        *,
        region: str,
        skip_time: bool = False,
        retry_after_s: float = 0.5,
        on_line: Callable[[str, str], None] | None = None,
        on_dead_letter: Callable[[str, bytes, bytes], None] | None = None,
        others: Callable[[Request], Response] | None = None,
    ) -> None:
        self.durable = DurableService(self.run, region=region, skip_time=skip_time)
        self._on_line = on_line
        self._on_dead_letter = on_dead_letter or (lambda *_: None)
        self._others = others
        self._retry_after_s = retry_after_s
        self._versions: dict[str, list[FunctionPool]] = {}
        self._executions: dict[tuple[str, str], _Execution] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._asynchronous = ThreadPoolExecutor(max_workers=16, thread_name_prefix="async-invoke")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stopping.set()
        for pool in (pool for versions in self._versions.values() for pool in versions):
            pool.close()
        self.durable.close()
        self._asynchronous.shutdown(wait=True, cancel_futures=True)

    def add(self, function: Function) -> FunctionPool:
        """Deploy a function, or the next version of an existing one, to which every alias moves.

        Running executions stay on their version, so the versions of a durable function are retained.
        Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html
        """
        return self.add_pool(FunctionPool(function, self._on_line))

    def add_pool(self, pool: FunctionPool) -> FunctionPool:
        """Deploy a function that runs in these environments."""
        function = pool.function
        versions = self._versions.setdefault(function.name, [])
        if versions and not function.durable:
            versions[-1].close()
        versions.append(pool)
        return pool

    def pool(self, name: str) -> FunctionPool:
        """The environments of a function, e.g. to kill them."""
        return self._versions[name][-1]

    def run(self, name: str, qualifier: str, payload: bytes) -> InvocationResult:
        """Run the handler of one version of a function once; a qualifier other than a version number selects the latest."""
        return self._versions[name][int(qualifier) - 1 if qualifier.isdecimal() else -1].invoke(payload)

    def __call__(self, request: Request) -> Response:
        """Answer one request to Lambda."""
        found = operation_of(service_model("lambda"), request)
        operation = found[0].name if found else ""
        if found is not None and operation == "Invoke":
            params = rest_json_input(*found, request)
            return self._invoke(params) if self._others is None or self._has(params["FunctionName"]) else self._others(request)
        if self._others is not None:
            return self.durable(request) or self._others(request)
        if operation == "ListFunctions":
            return json_response(200, {"Functions": [configuration(versions[-1].function) for versions in self._versions.values()]})
        if operation == "GetAccountSettings":
            return json_response(200, {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}})
        answer = self.durable(request)
        return answer or _error(404, "ResourceNotFoundException", f"the local Lambda does not have {request.method} {request.path}")

    def _has(self, name: str) -> bool:
        target = _NAME.match(name)
        return target is not None and target["name"] in self._versions

    def _invoke(self, params: dict[str, Any]) -> Response:
        target = _NAME.match(params["FunctionName"])
        versions = self._versions.get(target["name"]) if target else None
        if target is None or not versions:
            return _error(404, "ResourceNotFoundException", f"Function not found: {params['FunctionName']}")
        pool = versions[-1]
        qualifier = params.get("Qualifier") or target["qualifier"]
        if pool.function.durable:
            return self._invoke_durable(pool.function, qualifier, params)
        return self._invoke_plain(pool, params)

    def _invoke_plain(self, pool: FunctionPool, params: dict[str, Any]) -> Response:
        payload = params.get("Payload") or b""
        if params.get("InvocationType") == "Event":
            self._asynchronous.submit(self._invoke_with_retries, pool, payload)
            return Response(202, b"", _versioned())
        if params.get("InvocationType") == "DryRun":
            return Response(204, b"", _versioned())
        return _answered(pool.invoke(payload))

    def _invoke_with_retries(self, pool: FunctionPool, payload: bytes) -> None:
        try:
            for attempt in range(1 + _ASYNC_RETRIES):
                ended = pool.invoke(payload)
                if not ended.failed:
                    return
                _log.info("%s failed, attempt %d", pool.function.name, attempt + 1)
                if attempt < _ASYNC_RETRIES and self._stopping.wait(self._retry_after_s):
                    return
            self._on_dead_letter(pool.function.name, payload, ended.payload)
        except RuntimeError:  # the pool was closed while the event waited
            _log.debug("%s was closed before its event was processed", pool.function.name)

    def _invoke_durable(self, function: Function, qualifier: str | None, params: dict[str, Any]) -> Response:
        if not qualifier:
            message = "You cannot invoke a durable function using an unqualified ARN."
            return _error(400, "InvalidParameterValueException", message)
        name = params.get("DurableExecutionName") or str(uuid.uuid4())
        if not _EXECUTION_NAME.fullmatch(name):
            return _error(400, "InvalidParameterValueException", f"DurableExecutionName must match {_EXECUTION_NAME.pattern}")
        payload = params.get("Payload") or b"{}"
        with self._lock:
            execution = self._executions.get((function.name, name))
            # A name is taken until the retention of its execution ends.
            # Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html
            if execution is None or self.durable.is_forgotten(execution.arn, function.history_retention_s):
                execution = _Execution(payload, self.durable.start(function, self._version(function, qualifier), name, payload.decode()))
                self._executions[function.name, name] = execution
        if execution.payload != payload:
            message = f"A durable execution named {name} was started with another payload."
            return _error(409, "DurableExecutionAlreadyStartedException", message)
        headers = {**_versioned(), "X-Amz-Durable-Execution-Arn": execution.arn}
        if params.get("InvocationType") == "Event":
            return Response(202, b"", headers)
        return _ended(self.durable.wait(execution.arn, function.execution_timeout_s), headers)

    def _version(self, function: Function, qualifier: str) -> str:
        """The version that an execution is bound to: a number, or `$LATEST`, which changes."""
        is_alias = qualifier != "$LATEST" and not qualifier.isdecimal()
        return str(len(self._versions[function.name])) if is_alias else qualifier


def _ended(execution: Any, headers: dict[str, str]) -> Response:
    """The response to a synchronous Invoke of a durable function: its result, or its error as a function error."""
    if execution.error is None:
        return Response(200, (execution.result or "null").encode(), headers)
    body = {"errorType": execution.error.type, "errorMessage": execution.error.message}
    return json_response(200, body, {**headers, "X-Amz-Function-Error": "Unhandled"})


def _answered(ended: InvocationResult) -> Response:
    headers = {**_versioned(), **({"X-Amz-Function-Error": "Unhandled"} if ended.failed else {})}
    return Response(200, ended.payload, headers)


def _versioned() -> dict[str, str]:
    return {"X-Amz-Executed-Version": "$LATEST", "x-amzn-RequestId": str(uuid.uuid4())}


def _error(status: int, code: str, message: str) -> Response:
    return json_response(status, {"Type": "User", "Message": message}, {"x-amzn-ErrorType": code})
