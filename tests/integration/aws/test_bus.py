"""Events from the bus to a function: matched by moto, delivered unchanged, retried and never lost."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.aws.faults import Fault, FaultKind
from sandbox.aws.http_messages import Request, Response
from sandbox.event_bus.event_bus import EventBus
from tests.integration.aws.conftest import ROLE
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.aws.local_aws import LocalAws

RULES = {
    "addon-calls": {"source": ["aws.eks"], "detail": {"eventName": ["UpdateAddon"], "errorCode": [{"exists": False}]}},
    "ours": {"source": ["irsa"], "detail-type": ["Check Requested"]},
}
EVENT = {
    "version": "0",
    "id": "6f1c0a52-0000-4000-8000-000000000001",
    "detail-type": "Check Requested",
    "source": "irsa",
    "account": "999988887777",
    "time": "2026-09-27T21:06:47Z",
    "region": "us-east-1",
    "resources": ["arn:aws:eks:us-east-1:999988887777:cluster/demo"],
    "detail": {"clusterName": "demo", "list": ["a", 1], "nothing": None, "text": "ä <id>"},
}


class Taken:
    """A Lambda that takes every event and does nothing."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        with self._lock:
            self.events.append(json.loads(request.body))
        return Response(202)


@pytest.fixture
def taken(aws: LocalAws) -> Taken:
    function = Taken()
    aws.route("lambda", function)
    return function


@pytest.fixture
def bus(aws: LocalAws, taken: Taken) -> Iterator[EventBus]:  # the bus hands over to it
    with EventBus(aws, function="checker", rules=RULES, attempts=3, pause_s=0.02) as running:
        yield running


def test_an_event_arrives_exactly_as_it_was_put(bus: EventBus, taken: Taken) -> None:
    bus.put(EVENT)
    eventually(lambda: len(taken.events) == 1)
    assert taken.events[0] == EVENT


@pytest.mark.parametrize(
    "change", [{"source": "other"}, {"detail-type": "Check requested"}, {"source": "aws.eks", "detail": {"eventName": "DeleteAddon"}}]
)
def test_an_event_that_matches_no_rule_is_not_delivered(bus: EventBus, taken: Taken, change: dict[str, Any]) -> None:
    bus.put({**EVENT, **change})
    bus.put(EVENT)
    eventually(lambda: len(taken.events) >= 1)
    assert taken.events == [EVENT]


def test_cloudtrail_events_of_accepted_eks_calls_are_delivered(aws: LocalAws, bus: EventBus, taken: Taken) -> None:
    eks = aws.client("eks", "remediator")
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.update_addon(clusterName="demo", addonName="coredns")
    eks.update_addon(clusterName="demo", addonName="vpc-cni", serviceAccountRoleArn=ROLE)
    eventually(lambda: len(bus.deliveries()) == 1)
    assert taken.events[0]["detail"]["requestParameters"]["addonName"] == "vpc-cni"
    assert bus.deliveries()[0].rule == "addon-calls"


def test_an_event_of_a_function_has_the_account_and_time_of_the_bus(aws: LocalAws, bus: EventBus, taken: Taken) -> None:
    entry = {"Source": "irsa", "DetailType": "Check Requested", "Detail": json.dumps({"clusterName": "demo"})}
    aws.client("events", "remediator").put_events(Entries=[entry])
    eventually(lambda: len(taken.events) == 1 and len(bus.deliveries()) == 1)
    event = taken.events[0]
    assert (event["account"], event["region"], event["detail"]) == ("111122223333", "eu-west-1", {"clusterName": "demo"})
    assert event["time"].endswith("Z")
    assert event.keys() == EVENT.keys()


def test_a_throttled_delivery_is_retried(aws: LocalAws, bus: EventBus, taken: Taken) -> None:
    aws.faults.add(Fault(service="lambda", operation="Invoke", kind=FaultKind.SERVER_ERROR, times=1))
    bus.put(EVENT)
    eventually(lambda: len(taken.events) == 1)


def test_undeliverable_events_go_to_the_dead_letter_queue_of_the_rule(aws: LocalAws, bus: EventBus, taken: Taken) -> None:
    aws.faults.add(Fault(service="lambda", operation="Invoke", kind=FaultKind.ACCESS_DENIED, times=1000))
    bus.put(EVENT)
    eventually(lambda: len(bus.deliveries()) == 1)
    assert bus.deliveries()[0].error == "AccessDeniedException"

    def messages() -> list[Any]:
        answer = aws.client("sqs").receive_message(QueueUrl=bus.dead_letters, VisibilityTimeout=0, MessageAttributeNames=["All"])
        return list(answer.get("Messages", []))

    eventually(lambda: len(messages()) == 1)
    assert json.loads(messages()[0]["Body"]) == EVENT
    assert messages()[0]["MessageAttributes"]["RULE_NAME"]["StringValue"] == "ours"
    assert taken.events == []


def test_every_event_of_a_burst_is_delivered(bus: EventBus, taken: Taken) -> None:
    bus.put_all([{**EVENT, "id": str(number)} for number in range(60)])
    eventually(lambda: len(taken.events) == 60)
    assert {event["id"] for event in taken.events} == {str(number) for number in range(60)}
