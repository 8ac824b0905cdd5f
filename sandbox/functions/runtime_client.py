"""A small runtime client in pure Python, for machines without `awslambdaric`, which is compiled: it runs the handler of a function.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_RUNTIME = "/2018-06-01/runtime"


class Context:
    """What a handler may ask about its invocation.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    client_context = None
    identity = None
    tenant_id = None

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self) -> int:
        """The time until the invocation times out."""
        return max(0, self._deadline_ms - round(time.time() * 1000))


def main(handler: str) -> None:
    """Run the handler for each invocation. Ends the process where the handler cannot be loaded."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a log line appears when it is written, as on Lambda
    api = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        function = _load(handler)
    except BaseException as error:  # noqa: BLE001  # also SystemExit of a module is an error of the initialization
        traceback.print_exc()
        _post(api, "init/error", _error(error, ""))
        sys.exit(1)
    while True:
        api.request("GET", f"{_RUNTIME}/invocation/next")
        response = api.getresponse()
        payload = response.read()
        if response.status != 200:
            return
        context = Context(response.headers)  # type: ignore[arg-type]  # a message reads like a mapping
        os.environ["_X_AMZN_TRACE_ID"] = response.headers.get("Lambda-Runtime-Trace-Id", "")
        kind, body = _answer(function, payload, context)
        _post(api, f"invocation/{context.aws_request_id}/{kind}", body)


def _load(handler: str) -> Callable[[Any, Context], Any]:
    module, _, name = handler.rpartition(".")
    return getattr(importlib.import_module(module.replace("/", ".")), name)  # type: ignore[no-any-return]  # the handler's type is its author's


def _answer(function: Callable[[Any, Context], Any], payload: bytes, context: Context) -> tuple[str, bytes]:
    try:
        return "response", json.dumps(function(json.loads(payload), context), ensure_ascii=False).encode()
    except Exception as error:  # noqa: BLE001  # any error of the handler is the answer
        traceback.print_exc()
        return "error", _error(error, context.aws_request_id)


def _error(error: BaseException, request_id: str) -> bytes:
    """The error in Lambda's format."""
    lines = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    document = {"errorMessage": str(error), "errorType": type(error).__name__, "requestId": request_id, "stackTrace": lines}
    return json.dumps(document, ensure_ascii=False).encode()


def _post(api: HTTPConnection, path: str, body: bytes) -> None:
    api.request("POST", f"{_RUNTIME}/{path}", body=body, headers={"Content-Type": "application/json"})
    api.getresponse().read()


if __name__ == "__main__":
    main(sys.argv[1])
