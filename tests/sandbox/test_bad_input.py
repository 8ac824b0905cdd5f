"""Bad input on the small EKS: a clear error, no write, and nothing lost."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from lambdas.contract.names import ROLE_ANNOTATION
from sandbox.cluster.embedded import EmbeddedCluster
from sandbox.cluster.faults import Break, Fault
from sandbox.cluster.resources import SERVICE_ACCOUNTS
from sandbox.play.accounts import CHECKER, CLUSTER, NAMESPACE, REMEDIATOR
from sandbox.play.announcing import announcement
from sandbox.play.scenario import load
from sandbox.play.stage import Stage
from tests.waiting import eventually

pytestmark = pytest.mark.sandbox

WRITES = ("eks:UpdateAddon", "lambda:InvokeFunction", "sns:Publish")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A healthy world; no test of this module changes it."""
    with Stage(load("healthy").world) as standing:
        yield standing


def invoke(stage: Stage, event: object) -> None:
    """As EventBridge does: hand over, and do not wait."""
    stage.aws.client("lambda").invoke(FunctionName=CHECKER, InvocationType="Event", Payload=json.dumps(event))


def asked(**changes: Any) -> dict[str, Any]:
    event = dict(announcement("check-requested") or {})
    return event | {"detail": event["detail"] | changes}


def said(stage: Stage, text: str, since: int) -> bool:
    return any(text in line for _, line in stage.lines[since:])


def nothing_written(stage: Stage, calls_before: int) -> bool:
    made = stage.aws.calls.all()[calls_before:]
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
def test_a_malformed_event_is_kept_in_the_dead_letter_queue(stage: Stage, event: object) -> None:
    calls, dead = len(stage.aws.calls.all()), len(stage.dead_letters.waiting(CHECKER))
    invoke(stage, event)
    eventually(lambda: len(stage.dead_letters.waiting(CHECKER)) > dead)
    assert event in [item if not isinstance(item, str) else json.loads(item) for item in stage.dead_letters.waiting(CHECKER)]
    assert nothing_written(stage, calls)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(asked() | {"account": "999999999999"}, id="another account"),
        pytest.param(asked() | {"region": "us-east-1"}, id="another region"),
        pytest.param(asked() | {"detail-type": "Something Else", "source": "aws.s3"}, id="another kind"),
    ],
)
def test_an_event_that_is_not_ours_is_told_in_the_log_and_left_alone(stage: Stage, event: dict[str, Any]) -> None:
    calls, lines = len(stage.aws.calls.all()), len(stage.lines)
    invoke(stage, event)
    eventually(lambda: said(stage, '"title":"event"', lines))
    assert nothing_written(stage, calls)
    assert not said(stage, '"title":"diagnosis"', lines)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(path="/api/v1/", status=500), id="500"),
        pytest.param(Fault(path="/api/v1/", status=503), id="503"),
        pytest.param(Fault(path="/api/v1/", status=429, retry_after_s=1), id="429 with Retry-After"),
        pytest.param(Fault(path="/api/v1/", close=Break.BEFORE), id="closed connection"),
    ],
)
def test_a_cluster_that_stumbles_is_asked_again_and_the_event_is_not_lost(stage: Stage, fault: Fault) -> None:
    calls, lines, dead = len(stage.aws.calls.all()), len(stage.lines), len(stage.dead_letters.waiting(CHECKER))
    time.sleep(1.1)  # a check of the same second would answer this event
    stage.ground.cluster.faults.add(fault)
    invoke(stage, asked(occurredAt=_now()) | {"time": _now()})
    eventually(lambda: said(stage, '"message":"healthy"', lines))
    assert len(stage.dead_letters.waiting(CHECKER)) == dead
    assert nothing_written(stage, calls)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def test_nothing_was_changed_in_the_cluster(stage: Stage) -> None:
    account = stage.ground.find(SERVICE_ACCOUNTS, "aws-node", NAMESPACE) or {}
    assert list(account["metadata"]["annotations"]) == [ROLE_ANNOTATION]
    assert {managedfield["manager"] for managedfield in account["metadata"]["managedFields"]} == {"eks"}


def test_a_cluster_that_does_not_exist_is_told_once_with_what_to_do() -> None:
    with Stage(load("healthy").world, skip_time=True) as stage:
        stage.aws.client("ssm").put_parameter(
            Name=f"/eks-irsa-remediator/bindings/gone/{NAMESPACE}/aws-node",
            Value="arn:aws:iam::111122223333:role/demo-vpc-cni",
            Type="String",
        )
        invoke(stage, asked(cluster="gone"))
        eventually(lambda: said(stage, '"occasion":"needs-you"', 0))
        (message,) = stage.messages()[:1]
        assert "gone" in message["content"]["title"]
        assert "delete-parameter" in json.dumps(message)


def test_a_server_that_is_not_the_clusters_gets_no_token() -> None:
    """Its certificate is signed by another authority than the one that EKS reports."""
    stranger = EmbeddedCluster("stranger", authenticate=lambda _: None, certificate=trustme.CA())
    with Stage(load("healthy").world, skip_time=True) as stage, stranger:
        stage.aws.eks.world.clusters[CLUSTER].record["endpoint"] = stranger.url
        invoke(stage, asked())
        eventually(lambda: said(stage, '"verdict":"no-access"', 0) or said(stage, '"message":"no-access"', 0))
        assert stranger.requests == []
