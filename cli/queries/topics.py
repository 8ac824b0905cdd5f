"""The topics of the stack with their subscriptions, and a test message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.names import PROJECT
from lambdas.contract.settings import Severity
from lambdas.notifications.content import Content
from lambdas.notifications.messages import render
from lambdas.notifications.title import Mark
from lambdas.notifications.wording import Code, phrase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from cli.clients.dependencies import Dependencies
    from cli.clients.stack_ports import TopicSubscription
    from lambdas.contract.environment import Environment
    from lambdas.domain.ports import Message

TEST: Final = "test"
"""The outcome that a test message has, so that subscriptions can filter it."""


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One topic with all its subscriptions."""

    name: str
    arn: str
    subscriptions: tuple[TopicSubscription, ...]

    @property
    def document(self) -> dict[str, Any]:
        """The topic as JSON."""
        listed = [{"protocol": item.protocol, "endpoint": item.label, "isConfirmed": item.is_confirmed} for item in self.subscriptions]
        return {"topic": self.name, "arn": self.arn, "subscriptions": listed}


def topics(dependencies: Dependencies) -> list[Topic]:
    """Return the topics for people and chat."""
    environment, read = dependencies.environment, dependencies.stack.notifications.subscriptions
    named = (("people", environment.people_topic_arn), ("chat", environment.chat_topic_arn))
    return [Topic(name=name, arn=arn, subscriptions=read(arn)) for name, arn in named if arn]


def is_anyone_notified(topics: Iterable[Topic]) -> bool:
    """Return whether there is a subscription, and none waits for its confirmation. Chat alone, or people alone, is enough."""
    found = [item.is_confirmed for topic in topics for item in topic.subscriptions]
    return bool(found) and all(found)


def sample_message(environment: Environment, caller: str, now: datetime) -> Message:
    """Return a message in the form of every other message, which asks for nothing."""
    place = f"{environment.environment_name or environment.account}/{environment.region}"
    return render(
        Content(
            thread=f"test-{now:%Y%m%dT%H%M%S}",
            id=f"test:{now.isoformat()}",
            event_type=f"{PROJECT}:{TEST}",
            mark=Mark.NOTE,
            titles=(phrase("{place}: test message, no action needed", place=place),),
            paragraphs=(
                phrase("{caller} requested this message. It shows that messages of {project} arrive here.", caller=caller, project=PROJECT),
            ),
            heading="Requested by:",
            steps=(phrase("{command}", command=Code("irsa-remediator notify --test")),),
            long_step=phrase("{command}", command=Code("irsa-remediator notify --test")),
            footer=phrase("{account} {region}", account=environment.account, region=environment.region),
            context={"severity": Severity.INFO, "outcome": TEST},
        ),
        environment=environment,
    )
