"""A function that the emulator runs, as the local durable service invokes it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sandbox.functions.execution_environment import InvocationResult
from sandbox.functions.function_pool import FunctionPool

if TYPE_CHECKING:
    from sandbox.functions.function import Function


class DeployedFunction(FunctionPool):
    """Invokes the deployed alias. `lambda_client` is a client of the emulator."""

    def __init__(self, function: Function, alias: str, lambda_client: Any) -> None:
        super().__init__(function)
        self._alias = alias
        self._lambda = lambda_client

    def invoke(self, payload: bytes) -> InvocationResult:
        """Run the handler once."""
        started = time.monotonic()
        answer = self._lambda.invoke(FunctionName=self.function.name, Qualifier=self._alias, Payload=payload)
        return InvocationResult(
            payload=answer["Payload"].read(),
            failed="FunctionError" in answer,
            cold=False,
            duration_ms=(time.monotonic() - started) * 1000,
            request_id=str(answer["ResponseMetadata"].get("RequestId", "")),
        )
