"""The local durable service: it loses no wake-up, and enforces the quotas of an execution."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from aws_durable_execution_sdk_python.lambda_service import OperationAction

from sandbox.aws.http_messages import Request
from sandbox.functions.durable_service import DurableService, Usage
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


class Stepping:
    """A handler that writes one checkpoint for each update, and ends with the last answer of the service."""

    def __init__(self, updates: list[dict[str, Any]]) -> None:
        self.service = DurableService(self.run, region="eu-west-1", skip_time=True)
        self.updates = updates
        self.answers: list[tuple[int, str]] = []

    def run(self, _name: str, _qualifier: str, payload: bytes) -> InvocationResult:
        event = json.loads(payload)
        token = event["CheckpointToken"]
        for update in self.updates:
            body = json.dumps({"CheckpointToken": token, "Updates": [{"Type": "STEP", "SubType": "Step", **update}]}).encode()
            path = f"/2025-12-01/durable-executions/{quote(event['DurableExecutionArn'], safe='')}/checkpoint"
            answer = self.service(Request("POST", path, "", {"content-type": "application/json"}, body))
            assert answer is not None
            self.answers.append((answer.status, answer.body.decode()))
            if answer.status != 200:
                break
            token = json.loads(answer.body)["CheckpointToken"]
        return _ended({"Status": "SUCCEEDED", "Result": json.dumps("done")})

    def play(self) -> tuple[str, str]:
        """Run one execution. Returns its status and its ARN."""
        function = Function(name="remediator", asset=Path(), handler="none", durable=True)
        arn = self.service.start(function, "1", "execution", "{}")
        try:
            return str(self.service.wait(arn, 30.0).status), arn
        finally:
            self.service.close()


def _step(number: int, payload: str = '"x"') -> list[dict[str, Any]]:
    step = {"Id": str(number), "Name": f"step {number}"}
    return [{**step, "Action": "START"}, {**step, "Action": "SUCCEED", "Payload": payload}]


def _poll(polls: int) -> list[dict[str, Any]]:
    wait = {"Id": "w", "Name": "wait", "SubType": "WaitForCondition"}
    retry = {**wait, "Action": "RETRY", "Payload": "{}", "StepOptions": {"NextAttemptDelaySeconds": 1}}
    return [{**wait, "Action": "START"}, *[retry] * (polls - 1), {**wait, "Action": "SUCCEED", "Payload": "{}"}]


def test_a_step_is_one_operation_and_a_poll_another() -> None:
    stepping = Stepping([*_step(1), *_step(2), {"Id": "w", "Name": "wait", "SubType": "WaitForCondition", "Action": "START"}])
    status, arn = stepping.play()
    assert (status, stepping.service.usage(arn)) == ("SUCCEEDED", Usage(operations=3, payload_bytes=6))
    usage = Usage()
    for update in _poll(5):
        usage.add(SimpleNamespace(sub_type=update["SubType"], action=OperationAction(update["Action"]), payload=update.get("Payload")))
    assert usage == Usage(operations=6, payload_bytes=10)


def test_an_execution_fails_beyond_its_operations() -> None:
    stepping = Stepping([update for number in range(12) for update in _step(number)])
    stepping.service.limit(max_operations=10)
    status, arn = stepping.play()
    assert status == "FAILED"
    assert stepping.service.usage(arn).operations == 11


def test_an_execution_fails_beyond_its_payload() -> None:
    stepping = Stepping([update for number in range(5) for update in _step(number, json.dumps("x" * 998))])
    stepping.service.limit(max_payload_bytes=3_500)
    status, arn = stepping.play()
    assert (status, stepping.service.usage(arn)) == ("FAILED", Usage(operations=4, payload_bytes=4_000))


@pytest.mark.parametrize(("size", "accepted"), [(256 * 1024, True), (256 * 1024 + 1, False)])
def test_a_checkpoint_holds_256_kilobytes(size: int, accepted: bool) -> None:
    stepping = Stepping(_step(1, json.dumps("x" * (size - 2))))
    stepping.play()
    assert (stepping.answers[-1][0] == 200) is accepted
    assert accepted or "must be less than or equal to 262144 bytes" in stepping.answers[-1][1]


@pytest.mark.parametrize(("name", "accepted"), [("x" * 256, True), ("x" * 257, False), ("tab\t", False), ("größer", False)])
def test_the_name_of_an_operation_is_limited(name: str, accepted: bool) -> None:
    stepping = Stepping([{"Id": "1", "Name": name, "Action": "START"}])
    stepping.play()
    assert (stepping.answers[0][0] == 200) is accepted
