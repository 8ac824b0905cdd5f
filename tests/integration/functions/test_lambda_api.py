"""The Lambda API for local functions, called by a real boto3 client."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.functions.function import Function

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.aws.local_aws import LocalAws
    from sandbox.functions.dead_letters import DeadLetters
    from sandbox.functions.lambda_api import LambdaApi


@pytest.fixture(scope="module")
def client(aws: LocalAws, front: LambdaApi, functions: Path) -> Any:
    environment = aws.environment("remediator")
    front.add(Function(name="checker", asset=functions, handler="handlers.plain", environment=environment, concurrency=1))
    front.add(
        Function(name="remediator", asset=functions, handler="handlers.durable", environment=environment, durable=True, concurrency=1)
    )
    front.add(
        Function(
            name="forgetful",
            asset=functions,
            handler="handlers.durable",
            environment=environment,
            durable=True,
            concurrency=1,
            history_retention_s=0.5,
        )
    )
    front.add(
        Function(
            name="hasty",
            asset=functions,
            handler="handlers.durable",
            environment=environment,
            durable=True,
            concurrency=1,
            execution_timeout_s=2,
        )
    )
    return aws.client("lambda", "remediator")


def _start(client: Any, name: str, event: dict[str, Any], function: str = "remediator") -> str:
    answer = client.invoke(
        FunctionName=function, Qualifier="$LATEST", InvocationType="Event", DurableExecutionName=name, Payload=json.dumps(event)
    )
    assert answer["StatusCode"] == 202
    return str(answer["DurableExecutionArn"])


def _ended(client: Any, arn: str, timeout_s: float = 120) -> dict[str, Any]:
    deadline = time.monotonic() + timeout_s
    while (execution := dict(client.get_durable_execution(DurableExecutionArn=arn)))["Status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return execution


def test_a_plain_function_answers_and_its_errors_are_function_errors(client: Any) -> None:
    good = client.invoke(FunctionName="checker", Payload=b"{}")
    assert (good["StatusCode"], "FunctionError" in good) == (200, False)
    assert json.load(good["Payload"])["name"] == "checker"
    bad = client.invoke(FunctionName="checker", Payload=b'{"raise": true}')
    assert (bad["FunctionError"], json.load(bad["Payload"])["errorType"]) == ("Unhandled", "ValueError")


def test_an_unknown_function_is_the_modelled_error(client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="nobody")


def test_an_asynchronous_failure_is_tried_three_times_and_then_kept(client: Any, dead_letters: DeadLetters, tmp_path: Path) -> None:
    counted = tmp_path / "count"
    event = {"raise": True, "count": str(counted)}
    assert client.invoke(FunctionName="checker", InvocationType="Event", Payload=json.dumps(event))["StatusCode"] == 202
    deadline = time.monotonic() + 60
    while dead_letters.waiting("checker") != [event]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert counted.read_text() == "xxx"


def test_a_durable_function_runs_each_step_once_and_waits(client: Any, tmp_path: Path) -> None:
    arn = _start(client, "incident-1", {"file": str(tmp_path / "f")})
    assert ":function:remediator:$LATEST/durable-execution/incident-1/" in arn
    execution = _ended(client, arn)
    assert (execution["Status"], json.loads(execution["Result"])) == ("SUCCEEDED", ["one", "two"])
    assert (tmp_path / "f").read_text() == "one\ntwo\n"
    (listed,) = client.list_durable_executions_by_function(FunctionName="remediator", DurableExecutionName="incident-1")[
        "DurableExecutions"
    ]
    assert listed["DurableExecutionArn"] == arn
    kinds = [event["EventType"] for event in client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]]
    assert kinds.count("StepSucceeded") == 2
    assert "WaitSucceeded" in kinds


def test_a_name_identifies_one_execution_even_after_its_end(client: Any, tmp_path: Path) -> None:
    event = {"file": str(tmp_path / "f")}
    arn = _start(client, "incident-2", event)
    assert _start(client, "incident-2", event) == arn
    with pytest.raises(client.exceptions.DurableExecutionAlreadyStartedException) as refused:
        _start(client, "incident-2", {"file": "other"})
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    _ended(client, arn)
    assert _start(client, "incident-2", event) == arn
    assert (tmp_path / "f").read_text() == "one\ntwo\n"


def test_a_name_is_free_again_when_the_retention_of_its_execution_ends(client: Any, tmp_path: Path) -> None:
    event = {"file": str(tmp_path / "f")}
    first = _start(client, "incident-3", event, "forgetful")
    assert _ended(client, first)["Status"] == "SUCCEEDED"
    time.sleep(1)
    second = _start(client, "incident-3", {"file": str(tmp_path / "g")}, "forgetful")
    assert second != first
    assert _ended(client, second)["Status"] == "SUCCEEDED"
    assert (tmp_path / "g").read_text() == "one\ntwo\n"


def test_an_execution_that_exceeds_its_time_out_ends(client: Any, tmp_path: Path) -> None:
    arn = _start(client, "slow", {"file": str(tmp_path / "f"), "pause": 600}, "hasty")
    assert _ended(client, arn)["Status"] == "TIMED_OUT"


@pytest.mark.parametrize("how", ["exits", "is killed"])
def test_an_execution_continues_after_a_crash_between_two_steps(client: Any, front: LambdaApi, tmp_path: Path, how: str) -> None:
    file = tmp_path / "f"
    event = {"file": str(file), "crash": how == "exits", "hold": 60 if how == "is killed" else 0}
    arn = _start(client, f"crash-{how.replace(' ', '-')}", event)
    if how == "is killed":
        deadline = time.monotonic() + 60
        while not (file.exists() and "two" in file.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        front.pool("remediator").kill()
    assert _ended(client, arn)["Status"] == "SUCCEEDED"
    written = file.read_text().split()
    assert written.count("one") == 1
    # A step that was running when it was killed has not been checkpointed: it runs again.
    assert written.count("two") == (2 if how == "is killed" else 1)


def test_a_stopped_execution_ends_as_stopped(client: Any, tmp_path: Path) -> None:
    arn = _start(client, "stopped", {"file": str(tmp_path / "f"), "pause": 600})
    client.stop_durable_execution(DurableExecutionArn=arn)
    assert _ended(client, arn)["Status"] == "STOPPED"


def test_a_durable_function_is_not_started_without_a_qualifier(client: Any) -> None:
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.invoke(FunctionName="remediator", InvocationType="Event")


def test_an_unknown_execution_is_the_modelled_error(client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_durable_execution(
            DurableExecutionArn="arn:aws:lambda:eu-west-1:111122223333:function:remediator:$LATEST/durable-execution/no/x"
        )


def test_calls_of_the_durable_sdk_are_recorded_without_their_tokens(aws: LocalAws, client: Any, tmp_path: Path) -> None:
    _ended(client, _start(client, "recorded", {"file": str(tmp_path / "f")}))
    checkpoints = aws.calls.of(principal="remediator", action="lambda:CheckpointDurableExecution")
    assert checkpoints
    assert {call.params["CheckpointToken"] for call in checkpoints} == {"<withheld>"}
    assert aws.calls.of(principal="remediator", action="lambda:InvokeFunction")
