"""Invalid input in the sandbox: a clear error, no write, and no lost event."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from lambdas.contract.names import ROLE_ANNOTATION
from sandbox.cluster.embedded_cluster import EmbeddedCluster
from sandbox.cluster.faults import ConnectionBreak, Fault
from sandbox.cluster.resources import SERVICE_ACCOUNTS
from sandbox.simulation.aws_account import CHECKER, CLUSTER, NAMESPACE, REMEDIATOR
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import load
from sandbox.simulation.trigger_events import check_request
from tests.waiting import eventually

pytestmark = pytest.mark.sandbox

WRITES = ("eks:UpdateAddon", "lambda:InvokeFunction", "sns:Publish")


@pytest.fixture(scope="module")
def env() -> Iterator[SandboxEnvironment]:
    """A healthy world; no test of this module changes it."""
    with SandboxEnvironment(load("healthy").world) as standing:
        yield standing


def invoke(env: SandboxEnvironment, event: object) -> None:
    """As EventBridge does: hand over, and do not wait."""
    env.aws.client("lambda").invoke(FunctionName=CHECKER, InvocationType="Event", Payload=json.dumps(event))


def asked(**changes: Any) -> dict[str, Any]:
    event = check_request()
    return event | {"detail": event["detail"] | changes}


def said(env: SandboxEnvironment, text: str, since: int) -> bool:
    return any(text in line for _, line in env.lines[since:])


def nothing_written(env: SandboxEnvironment, calls_before: int) -> bool:
    made = env.aws.calls.all()[calls_before:]
    return not [
        item for item in made if item.principal in (CHECKER, REMEDIATOR) and item.action in WRITES and CHECKER not in str(item.params)
    ]


@pytest.mark.parametrize(
    "event",
    [
        pytest.param([1, 2, 3], id="no object"),
        pytest.param({"hello": "world"}, id="no event"),
        pytest.param(asked(cluster="../../etc/passwd"), id="a path for a cluster"),
        pytest.param(asked(cluster={"name": CLUSTER}), id="an object for a cluster"),
    ],
)
def test_a_malformed_event_is_counted_and_logged_once(env: SandboxEnvironment, event: object) -> None:
    calls, lines, dead = len(env.aws.calls.all()), len(env.lines), len(env.dead_letters.waiting(CHECKER))
    invoke(env, event)
    eventually(lambda: said(env, "MalformedEvents", lines))
    assert len(env.dead_letters.waiting(CHECKER)) == dead
    assert nothing_written(env, calls)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(asked() | {"account": "999999999999"}, id="another account"),
        pytest.param(asked() | {"region": "us-east-1"}, id="another region"),
        pytest.param(asked() | {"detail-type": "Something Else", "source": "aws.s3"}, id="another kind"),
    ],
)
def test_an_unrelated_event_is_logged_and_ignored(env: SandboxEnvironment, event: dict[str, Any]) -> None:
    calls, lines = len(env.aws.calls.all()), len(env.lines)
    invoke(env, event)
    eventually(lambda: said(env, '"title":"event"', lines))
    assert nothing_written(env, calls)
    assert not said(env, '"title":"diagnosis"', lines)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(path="/api/v1/", status=500), id="500"),
        pytest.param(Fault(path="/api/v1/", status=503), id="503"),
        pytest.param(Fault(path="/api/v1/", status=429, retry_after_s=1), id="429 with Retry-After"),
        pytest.param(Fault(path="/api/v1/", close=ConnectionBreak.BEFORE), id="closed connection"),
    ],
)
def test_a_failing_read_is_retried_and_the_event_is_not_lost(env: SandboxEnvironment, fault: Fault) -> None:
    calls, lines, dead = len(env.aws.calls.all()), len(env.lines), len(env.dead_letters.waiting(CHECKER))
    time.sleep(1.1)  # a check of the same second would answer this event
    env.backend.cluster.faults.add(fault)
    invoke(env, asked(occurredAt=_now()) | {"time": _now()})
    eventually(lambda: said(env, '"message":"no-fault-found"', lines))
    assert len(env.dead_letters.waiting(CHECKER)) == dead
    assert nothing_written(env, calls)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def test_nothing_was_changed_in_the_cluster(env: SandboxEnvironment) -> None:
    account = env.backend.find(SERVICE_ACCOUNTS, "aws-node", NAMESPACE) or {}
    assert list(account["metadata"]["annotations"]) == [ROLE_ANNOTATION]
    assert {managedfield["manager"] for managedfield in account["metadata"]["managedFields"]} == {"eks"}


def test_a_missing_cluster_is_reported_once_with_the_next_step() -> None:
    with SandboxEnvironment(load("healthy").world, skip_time=True) as env:
        env.aws.client("ssm").put_parameter(
            Name=f"/eks-irsa-remediator/bindings/gone/{NAMESPACE}/aws-node",
            Value="arn:aws:iam::111122223333:role/demo-vpc-cni",
            Type="String",
        )
        invoke(env, asked(cluster="gone"))
        eventually(lambda: said(env, '"kind":"needs-action"', 0))
        (message,) = env.messages()[:1]
        assert "gone" in message["content"]["title"]
        assert "delete-parameter" in json.dumps(message)


def test_a_server_with_another_certificate_gets_no_token() -> None:
    """Its certificate is signed by another authority than the one that EKS reports."""
    stranger = EmbeddedCluster("stranger", authenticate=lambda _: None, certificate=trustme.CA())
    with SandboxEnvironment(load("healthy").world, skip_time=True) as env, stranger:
        env.aws.eks.state.clusters[CLUSTER].record["endpoint"] = stranger.url
        invoke(env, asked())
        eventually(lambda: said(env, '"verdict":"no-access"', 0) or said(env, '"message":"no-access"', 0))
        assert stranger.requests == []
