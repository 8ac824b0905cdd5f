"""Subscriptions, key and a test message."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from cli.queries.stack_verification.results import CheckResult, Verification, shown_if, unknown
from lambdas.contract.names import PROJECT
from lambdas.contract.self_test import Answer
from lambdas.contract.stack_checks import CheckId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.clients.stack_ports import TopicSubscription

CHAT_ENDPOINT: Final = "sns-api.chatbot.amazonaws.com"
"""A part of the endpoint that Amazon Q Developer subscribes. Seen in public configurations; AWS documents no name of it."""
_ENABLED: Final = "Enabled"


def subscriptions(run: Verification) -> Iterator[CheckResult]:
    """Read the subscriptions of both topics."""
    environment = run.dependencies.environment
    found: dict[str, tuple[TopicSubscription, ...]] = {}

    def read() -> tuple[Answer, str]:
        for name, topic in (("people", environment.people_topic_arn), ("chat", environment.chat_topic_arn)):
            found[name] = run.dependencies.stack.notifications.subscriptions(topic)
        everyone = [item for items in found.values() for item in items]
        pending = [f"{item.protocol} {item.label}" for item in everyone if not item.is_confirmed]
        if pending:
            return Answer.REFUTED, f"not confirmed: {', '.join(pending)}"
        return shown_if(everyone, f"{len(everyone)} confirmed" if everyone else "no topic has a subscription")

    yield run.result(unknown(CheckId.SUBSCRIPTIONS), read)
    if "chat" in found:
        yield _chat(found["chat"])


def _chat(found: tuple[TopicSubscription, ...]) -> CheckResult:
    """The answer of the chat topic: messages for chat reach a channel by a subscription alone."""
    confirmed = [item for item in found if item.is_confirmed]
    by_chat = [item for item in confirmed if CHAT_ENDPOINT in item.endpoint]
    kinds = "Amazon Q Developer" if by_chat else ", ".join(sorted({item.protocol for item in confirmed}))
    answer, detail = shown_if(confirmed, f"the chat topic is subscribed by {kinds}" if confirmed else "the chat topic has no subscription")
    return replace(unknown(CheckId.CHAT), answer=answer, detail=detail)


def key(run: Verification) -> Iterator[CheckResult]:
    """Read the state of the key. Whether the remediator may use it, a test message by the remediator would show."""

    def read() -> tuple[Answer, str]:
        found = run.dependencies.stack.notifications.key(run.dependencies.environment.people_topic_arn)
        if found is None:
            return Answer.SHOWN, "the topic has no key of its own"
        return shown_if(found.state == _ENABLED, f"{found.id} is {found.state}")

    yield run.result(unknown(CheckId.NOTIFICATION_KEY), read)


def test_message(run: Verification) -> Iterator[CheckResult]:
    """Publish a text to the people topic, with the caller's own rights."""
    if not run.sends_messages:
        return
    environment = run.dependencies.environment

    def read() -> tuple[Answer, str]:
        text = (
            f"Test message of {PROJECT} in {environment.account} {environment.region}, requested by {run.dependencies.caller}. Do nothing."
        )
        run.dependencies.stack.notifications.publish(environment.people_topic_arn, f"{PROJECT}: test message", text)
        return Answer.SHOWN, "sent to the people topic: ask a receiver whether it arrived"

    yield run.result(unknown(CheckId.TEST_MESSAGE), read)
