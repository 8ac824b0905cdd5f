"""Requests and errors of the adapters for the remediator, events, messages and calendars."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from lambdas.adapters.change_calendar import RECHECK_INTERVAL, Calendar
from lambdas.adapters.event_bus import EventBus
from lambdas.adapters.lambda_functions import Checker, Remediator
from lambdas.adapters.notifier import Notifier
from lambdas.contract.names import EVENT_SOURCE
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.errors import AccessDenied, PermanentError, TransientError
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.ports import Message
from lambdas.domain.requests.parser import parse
from lambdas.domain.requests.request import CheckRequest, Trigger
from lambdas.notifications.published_events import check_requested
from sandbox.aws.faults import Fault, FaultKind
from sandbox.inline_executor import InlineExecutor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.aws_session import AwsSession
    from sandbox.aws.local_aws import LocalAws

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:eks-irsa-remediator-prod:live"
EXECUTION = f"{FUNCTION}/durable-execution/7f3a/1"
INCIDENT = Incident(
    id="7f3a", target=ServiceAccountRef("demo", "kube-system", "aws-node"), opened_at=NOW, signals=4, request={"trigger": "sweep"}
)


def stubbed(session: AwsSession, service: str) -> Iterator[Stubber]:
    """A client with stubbed responses, each of which must be used."""
    with Stubber(session.client(service)) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def functions(session: AwsSession) -> Iterator[Stubber]:
    yield from stubbed(session, "lambda")


def test_an_incident_is_one_execution_by_name_and_payload(session: AwsSession, functions: Stubber) -> None:
    sent = {
        "FunctionName": FUNCTION,
        "InvocationType": "Event",
        "DurableExecutionName": "7f3a",
        "Payload": b'{"incident_id":"7f3a","target":"demo/kube-system/aws-node"}',
    }
    functions.add_response("invoke", {"StatusCode": 202, "DurableExecutionArn": EXECUTION}, sent)
    assert Remediator(session, FUNCTION).start(INCIDENT) == EXECUTION


def test_a_repeated_start_of_an_execution_is_no_error(session: AwsSession, functions: Stubber) -> None:
    functions.add_client_error("invoke", "DurableExecutionAlreadyStartedException", http_status_code=409)
    assert Remediator(session, FUNCTION).start(INCIDENT) == ""


def test_a_digest_is_one_execution_named_by_the_environment_and_the_end_of_its_day(session: AwsSession, functions: Stubber) -> None:
    sent = {
        "FunctionName": FUNCTION,
        "InvocationType": "Event",
        "DurableExecutionName": "digest-prod-20260101T1200",
        "Payload": b'{"digest":{"until":"2026-01-01T12:00:00+00:00","clusters":["blue","green"]}}',
    }
    functions.add_response("invoke", {"StatusCode": 202, "DurableExecutionArn": EXECUTION}, sent)
    functions.add_client_error("invoke", "DurableExecutionAlreadyStartedException", http_status_code=409)
    for _ in range(2):  # an event may be delivered twice
        Remediator(session, FUNCTION).start_digest(NOW, ["blue", "green"])


def test_a_start_that_is_throttled_is_transient(session: AwsSession, functions: Stubber) -> None:
    asked_for = {"HTTPHeaders": {"retry-after": "3"}}
    functions.add_client_error("invoke", "TooManyRequestsException", http_status_code=429, response_meta=asked_for)
    with pytest.raises(TransientError, match="start the remediator for incident 7f3a") as raised:
        Remediator(session, FUNCTION).start(INCIDENT)
    assert raised.value.retry_after_s == 3


STATES = {
    "RUNNING": True,
    "PAUSING": True,
    "PAUSED": True,
    "SUCCEEDED": False,
    "FAILED": False,
    "TIMED_OUT": False,
    "STOPPED": False,
    "DELETING": False,
}


@pytest.mark.parametrize(("state", "runs"), STATES.items(), ids=STATES)
def test_an_execution_runs_until_it_has_ended(session: AwsSession, functions: Stubber, state: str, runs: bool) -> None:
    answer = {
        "DurableExecutionArn": EXECUTION,
        "DurableExecutionName": "7f3a",
        "FunctionArn": FUNCTION,
        "StartTimestamp": NOW,
        "Status": state,
    }
    functions.add_response("get_durable_execution", answer, {"DurableExecutionArn": EXECUTION, "IncludeExecutionData": False})
    assert Remediator(session, FUNCTION).running(EXECUTION) is runs


def test_every_execution_status_of_lambda_is_classified(session: AwsSession) -> None:
    shape: Any = session.client("lambda").meta.service_model.operation_model("GetDurableExecution").output_shape
    assert set(shape.members["Status"].enum) == set(STATES)


def test_an_unknown_execution_is_not_running(session: AwsSession, functions: Stubber) -> None:
    functions.add_client_error("get_durable_execution", "ResourceNotFoundException", http_status_code=404)
    assert Remediator(session, FUNCTION).running(EXECUTION) is False


# --- checks by the checker itself --------------------------------------------------------------------------------------------------------


def checker(session: AwsSession) -> Checker:
    return Checker(session, "eks-irsa-remediator_checker", account="111122223333", new_executor=lambda _: InlineExecutor(), now=lambda: NOW)


def invocation(cluster: str) -> dict[str, Any]:
    """The parameters of the request for one cluster."""
    return {"FunctionName": "eks-irsa-remediator_checker", "InvocationType": "Event", "Payload": HandedOver(cluster)}


class HandedOver:
    """Equals a payload that the checker reads as a request of a sweep for this cluster."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster

    def __eq__(self, payload: object) -> bool:
        assert isinstance(payload, bytes)
        request = parse(json.loads(payload), account="111122223333", region="eu-west-1", now=NOW)
        assert isinstance(request, CheckRequest)
        return (request.cluster, request.trigger, request.occurred_at) == (self._cluster, Trigger.SWEEP, NOW)

    __hash__ = None  # type: ignore[assignment]


def requested(*clusters: str) -> list[dict[str, Any]]:
    request = CheckRequest(trigger=Trigger.SWEEP, occurred_at=NOW, event_id="sweep-120000")
    checks = [check_requested(request, cluster) for cluster in clusters]
    return [{"detail-type": kind, "detail": detail} for kind, detail in checks]


def test_each_requested_check_is_an_invocation_of_its_own(session: AwsSession, functions: Stubber) -> None:
    for cluster in ("blue", "green"):
        functions.add_response("invoke", {"StatusCode": 202}, invocation(cluster))
    checker(session).request(requested("blue", "green"))
    checker(session).request([])


def test_a_check_that_lambda_does_not_accept_keeps_no_other_one_back(session: AwsSession, functions: Stubber) -> None:
    functions.add_client_error("invoke", "TooManyRequestsException", http_status_code=429)
    functions.add_response("invoke", {"StatusCode": 202}, invocation("green"))
    with pytest.raises(TransientError, match="request a check by eks-irsa-remediator_checker"):
        checker(session).request(requested("blue", "green"))


# --- events ------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def bus(session: AwsSession) -> Iterator[Stubber]:
    yield from stubbed(session, "events")


def accepted(number: int) -> list[dict[str, str]]:
    return [{"EventId": str(index)} for index in range(number)]


def entries(*numbers: int) -> dict[str, Any]:
    made = [
        {"EventBusName": "default", "Source": EVENT_SOURCE, "DetailType": "Check Requested", "Detail": f'{{"n":{number}}}'}
        for number in numbers
    ]
    return {"Entries": made}


def events(number: int) -> list[tuple[str, dict[str, int]]]:
    return [("Check Requested", {"n": index}) for index in range(number)]


def test_events_are_sent_in_batches_of_ten(session: AwsSession, bus: Stubber) -> None:
    bus.add_response("put_events", {"FailedEntryCount": 0, "Entries": accepted(10)}, entries(*range(10)))
    bus.add_response("put_events", {"FailedEntryCount": 0, "Entries": accepted(2)}, entries(10, 11))
    EventBus(session, "default").put(events(12))
    EventBus(session, "default").put([])


def test_only_rejected_events_are_retried(session: AwsSession, bus: Stubber) -> None:
    waits: list[float] = []
    refused = {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
    bus.add_response("put_events", {"FailedEntryCount": 2, "Entries": [{"EventId": "0"}, refused, refused]}, entries(0, 1, 2))
    bus.add_response("put_events", {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, refused]}, entries(1, 2))
    bus.add_response("put_events", {"FailedEntryCount": 0, "Entries": accepted(1)}, entries(2))
    EventBus(session, "default", sleep=waits.append).put(events(3))
    assert len(waits) == 2
    assert 0 <= waits[0] <= 0.2


def test_events_that_stay_rejected_raise_a_transient_error(session: AwsSession, bus: Stubber) -> None:
    for _ in range(3):
        bus.add_response("put_events", {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}, entries(0))
    with pytest.raises(TransientError, match="1 were rejected: InternalFailure"):
        EventBus(session, "default", sleep=lambda _: None).put(events(1))


def test_an_event_that_no_retry_helps_raises_a_permanent_error(session: AwsSession, bus: Stubber) -> None:
    refused = {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
    bus.add_response("put_events", {"FailedEntryCount": 1, "Entries": [refused]}, entries(0))
    with pytest.raises(PermanentError, match="NotAuthorizedForSource"):
        EventBus(session, "default").put(events(1))


def test_an_event_bus_accepts_the_events(session: AwsSession, local_aws: LocalAws) -> None:
    EventBus(session, "default").put(events(1))
    assert [call.action for call in local_aws.calls.all()] == ["events:PutEvents"]


# --- messages ----------------------------------------------------------------------------------------------------------------------------

MESSAGE = Message(
    thread="7f3a",
    subject="demo: repaired",
    chat=json.dumps({"version": "1.0", "source": "custom", "content": {"description": "repaired"}}),
    text="repaired\nin words",
    attributes={"severity": "warning", "empty": ""},
)


_NUMBERS = count()


class Topics:
    """Two topics with a queue each, to read the messages."""

    def __init__(self, local: LocalAws, number: int) -> None:
        self._sqs = local.client("sqs")
        self.arns, self._queues = {}, {}
        for name in ("chat", "people"):
            self.arns[name] = local.client("sns").create_topic(Name=f"{name}-{number}")["TopicArn"]
            queue = f"arn:aws:sqs:{local.region}:{local.account}:{name}-{number}"
            self._queues[name] = self._sqs.create_queue(QueueName=f"{name}-{number}")["QueueUrl"]
            local.client("sns").subscribe(TopicArn=self.arns[name], Protocol="sqs", Endpoint=queue)

    def received(self, name: str) -> list[dict[str, Any]]:
        found = self._sqs.receive_message(QueueUrl=self._queues[name], MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(item["Body"]) for item in found]


@pytest.fixture
def topics(session: AwsSession, local_aws: LocalAws) -> Topics:
    return Topics(local_aws, next(_NUMBERS))


def notifier(session: AwsSession, chat: str, people: str) -> Notifier:
    return Notifier(session, chat_topic_arn=chat, people_topic_arn=people)


def test_the_chat_topic_gets_json_and_the_mail_topic_text(session: AwsSession, topics: Topics) -> None:
    notifier(session, topics.arns["chat"], topics.arns["people"]).send(MESSAGE)
    (chat,), (people,) = topics.received("chat"), topics.received("people")
    assert json.loads(chat["Message"])["source"] == "custom"
    assert (people["Subject"], people["Message"]) == (MESSAGE.subject, MESSAGE.text)
    assert people["MessageAttributes"] == {"severity": {"Type": "String", "Value": "warning"}}


def test_a_topic_without_an_arn_gets_no_message(session: AwsSession, topics: Topics, local_aws: LocalAws) -> None:
    notifier(session, "", topics.arns["people"]).send(MESSAGE)
    notifier(session, topics.arns["chat"], "").send(MESSAGE)
    notifier(session, "", "").send(MESSAGE)
    assert len(local_aws.calls.of(action="sns:Publish")) == 2


def test_the_mail_topic_gets_the_message_if_the_chat_topic_fails(session: AwsSession, topics: Topics, local_aws: LocalAws) -> None:
    local_aws.faults.add(Fault(service="sns", kind=FaultKind.ACCESS_DENIED, about=topics.arns["chat"]))
    with pytest.raises(AccessDenied, match="publish to the chat topic"):
        notifier(session, topics.arns["chat"], topics.arns["people"]).send(MESSAGE)
    assert topics.received("chat") == []
    assert len(topics.received("people")) == 1


def test_a_retry_publishes_only_to_the_topic_that_failed(session: AwsSession, topics: Topics, local_aws: LocalAws) -> None:
    publisher = notifier(session, topics.arns["chat"], topics.arns["people"])
    local_aws.faults.add(Fault(service="sns", kind=FaultKind.EXPIRED))
    with pytest.raises(TransientError):
        publisher.send(MESSAGE)
    publisher.send(MESSAGE)
    assert (len(topics.received("chat")), len(topics.received("people"))) == (1, 1)
    publisher.send(MESSAGE)
    assert (len(topics.received("chat")), len(topics.received("people"))) == (1, 1), "sent whole, the next one is another"


# --- calendars ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def calendars(session: AwsSession) -> Iterator[Stubber]:
    yield from stubbed(session, "ssm")


def test_an_open_calendar_has_no_opening_time(session: AwsSession, calendars: Stubber) -> None:
    asked = {"CalendarNames": ["freeze"], "AtTime": "2026-01-01T12:00:00Z"}
    calendars.add_response("get_calendar_state", {"State": "OPEN", "NextTransitionTime": "2026-01-02T00:00:00Z"}, asked)
    assert Calendar(session).opens_at("freeze", NOW) is None


def test_a_closed_calendar_has_an_opening_time(session: AwsSession, calendars: Stubber) -> None:
    calendars.add_response("get_calendar_state", {"State": "CLOSED", "NextTransitionTime": "2026-01-01T15:30:00Z"})
    assert Calendar(session).opens_at("freeze", NOW) == NOW + timedelta(hours=3, minutes=30)


def test_a_closed_calendar_without_an_opening_time_is_read_again_a_day_later(session: AwsSession, calendars: Stubber) -> None:
    calendars.add_response("get_calendar_state", {"State": "CLOSED"})
    assert Calendar(session).opens_at("freeze", NOW) == NOW + RECHECK_INTERVAL


def test_a_missing_calendar_raises_a_permanent_error(session: AwsSession, calendars: Stubber) -> None:
    calendars.add_client_error("get_calendar_state", "InvalidDocument", http_status_code=400)
    with pytest.raises(PermanentError, match="read change calendar freeze"):
        Calendar(session).opens_at("freeze", NOW)
