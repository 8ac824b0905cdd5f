"""The test message has the form of every other message, and endpoints show no credential."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cli.clients.stack_ports import TopicSubscription
from cli.queries.topics import Topic, is_anyone_notified, sample_message
from tests.unit.cli.fake_dependencies import CALLER, ENVIRONMENT
from tests.world import NOON

MAIL = TopicSubscription(protocol="email", endpoint="oncall@example.com", is_confirmed=True)
PENDING = replace(MAIL, is_confirmed=False)


@pytest.mark.parametrize(("name", "place"), [("prod-eu", "prod-eu/eu-west-1"), ("", "111122223333/eu-west-1")])
def test_a_test_message_names_its_place_and_asks_for_nothing(name: str, place: str) -> None:
    message = sample_message(replace(ENVIRONMENT, environment_name=name), CALLER, NOON)
    assert message.subject == f"NOTE {place}: test message, no action needed"
    assert CALLER in message.text
    assert json.loads(message.chat)["content"]["title"].endswith(f"{place}: test message, no action needed")
    assert message.attributes == {"severity": "info", "outcome": "test"}


@pytest.mark.parametrize(
    ("endpoint", "label"),
    [
        ("https://events.example.com/x-ere/R0UT1NGK3Y?token=s3cret", "https://events.example.com/…"),
        ("https://user:s3cret@example.com/v1", "https://example.com/…"),
        ("oncall@example.com", "oncall@example.com"),
        ("arn:aws:sqs:eu-west-1:111122223333:pages", "arn:aws:sqs:eu-west-1:111122223333:pages"),
    ],
)
def test_an_endpoint_is_shown_without_a_credential(endpoint: str, label: str) -> None:
    assert TopicSubscription(protocol="https", endpoint=endpoint, is_confirmed=True).label == label


@pytest.mark.parametrize(
    ("people", "chat", "is_notified"),
    [((MAIL,), (), True), ((), (MAIL,), True), ((), (), False), ((MAIL, PENDING), (), False), ((PENDING,), (MAIL,), False)],
)
def test_one_topic_is_enough_if_nothing_waits_for_its_confirmation(
    people: tuple[TopicSubscription, ...], chat: tuple[TopicSubscription, ...], is_notified: bool
) -> None:
    topics = [Topic(name=name, arn=name, subscriptions=found) for name, found in (("people", people), ("chat", chat))]
    assert is_anyone_notified(topics) is is_notified
