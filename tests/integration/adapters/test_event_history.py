"""CloudTrail's event history through our adapter, against recorded answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from lambdas.adapters.event_history import MAX_RECORDS, EventHistory
from lambdas.domain.errors import AccessDenied, TransientError
from sandbox.aws import cloudtrail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.aws_session import AwsSession

SUBJECT = "system:serviceaccount:kube-system:aws-node"
ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/77D0"
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
SINCE = NOW - timedelta(hours=1)
ASKED = {
    "LookupAttributes": [{"AttributeKey": "Username", "AttributeValue": SUBJECT}],
    "StartTime": SINCE,
    "EndTime": NOW,
    "MaxResults": MAX_RECORDS,
}


def record(minutes: float, code: str = "AccessDenied", subject: str = SUBJECT) -> str:
    made = cloudtrail.refused_token(subject, role_arn=ROLE, provider_arn=PROVIDER, region="eu-west-1", error_code=code)["detail"]
    at = (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({**{key: value for key, value in made.items() if code or key != "errorCode"}, "eventTime": at})


@pytest.fixture
def answers(session: AwsSession) -> Iterator[Stubber]:
    with Stubber(session.client("cloudtrail")) as stubber:
        yield stubber


def page(*records: str) -> dict[str, Any]:
    return {"Events": [{"EventId": str(number), "CloudTrailEvent": text} for number, text in enumerate(records)], "NextToken": "more"}


def test_one_page_of_a_subject_is_read_and_its_refusals_are_returned(session: AwsSession, answers: Stubber) -> None:
    answers.add_response("lookup_events", page(record(2), record(3, ""), record(40, "ExpiredTokenException")), ASKED)
    found = EventHistory(session).refused_tokens(SUBJECT, SINCE, NOW)
    assert [(item.code, item.role_arn, item.provider_arn) for item in found] == [
        ("AccessDenied", ROLE, PROVIDER),
        ("ExpiredTokenException", ROLE, PROVIDER),
    ]
    assert found[0].at == NOW - timedelta(minutes=2)
    answers.assert_no_pending_responses()


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[]", "{}", '{"eventName": 7}', "[" * 100_000, record(90), record(2, subject="system:serviceaccount:shop:web")],
    ids=["empty", "text", "list", "object", "type", "deep", "older", "another subject"],
)
def test_another_record_is_no_refusal(session: AwsSession, answers: Stubber, text: str) -> None:
    answers.add_response("lookup_events", page(text), ASKED)
    assert EventHistory(session).refused_tokens(SUBJECT, SINCE, NOW) == ()


def test_a_second_look_within_a_minute_costs_no_lookup(session: AwsSession, answers: Stubber) -> None:
    now = [0.0]
    history = EventHistory(session, clock=lambda: now[0])
    for _ in range(2):
        answers.add_response("lookup_events", page(), ASKED)
    for at in (0.0, 59.0, 61.0):
        now[0] = at
        assert history.refused_tokens(SUBJECT, SINCE, NOW) == ()
    answers.assert_no_pending_responses()


@pytest.mark.parametrize(("code", "error"), [("ThrottlingException", TransientError), ("AccessDeniedException", AccessDenied)])
def test_a_refused_lookup_is_an_error(session: AwsSession, answers: Stubber, code: str, error: type[Exception]) -> None:
    answers.add_client_error("lookup_events", code)
    with pytest.raises(error, match="event history"):
        EventHistory(session).refused_tokens(SUBJECT, SINCE, NOW)
