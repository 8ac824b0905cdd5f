"""The local durable service: an execution continues when the end of a wait and the end of an invocation coincide."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sandbox.aws.http_messages import Request
from sandbox.functions.durable_service import DurableService
from sandbox.functions.execution_environment import InvocationResult
from sandbox.functions.function import Function

EXECUTIONS = 50


class Waiting:
    """A handler that waits once, and ends the invocation as soon as that is written down."""

    def __init__(self) -> None:
        self.service = DurableService(self.run, region="eu-west-1", skip_time=True)

    def run(self, _name: str, _qualifier: str, payload: bytes) -> InvocationResult:
        event = json.loads(payload)
        waited = [operation for operation in event["InitialExecutionState"]["Operations"] if operation["Type"] == "WAIT"]
        if waited:
            return _ended({"Status": "SUCCEEDED", "Result": json.dumps(waited[0]["Status"])})
        self._checkpoint(event["DurableExecutionArn"], event["CheckpointToken"])
        return _ended({"Status": "PENDING"})

    def _checkpoint(self, arn: str, token: str) -> None:
        wait = {"Id": "1", "Name": "wait", "Type": "WAIT", "SubType": "Wait", "Action": "START", "WaitOptions": {"WaitSeconds": 5}}
        body = json.dumps({"CheckpointToken": token, "Updates": [wait]}).encode()
        path = f"/2025-12-01/durable-executions/{quote(arn, safe='')}/checkpoint"
        answer = self.service(Request("POST", path, "", {"content-type": "application/json"}, body))
        assert answer is not None
        assert answer.status == 200, answer


def _ended(answer: dict[str, Any]) -> InvocationResult:
    return InvocationResult(json.dumps(answer).encode(), failed=False, cold=False, duration_ms=0.0)


def test_no_wake_up_is_lost() -> None:
    function = Function(name="remediator", asset=Path(), handler="none", durable=True)
    waiting = Waiting()

    def outcome(number: int) -> str:
        arn = waiting.service.start(function, "1", f"execution-{number}", "{}")
        return str(waiting.service.wait(arn, 30.0).status)

    try:
        with ThreadPoolExecutor(8) as callers:
            assert set(callers.map(outcome, range(EXECUTIONS))) == {"SUCCEEDED"}
    finally:
        waiting.service.close()
