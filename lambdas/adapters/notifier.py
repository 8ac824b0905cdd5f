"""SNS: one topic for chat through Amazon Q Developer, and one for mail and pagers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lambdas.adapters.aws_errors import translated

if TYPE_CHECKING:
    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.ports import Message


class Notifier:
    """Implements `NotifierPort`. An empty ARN means that the topic is not deployed."""

    def __init__(self, session: AwsSession, *, chat_topic_arn: str, people_topic_arn: str) -> None:
        self._session = session
        self._chat_topic_arn = chat_topic_arn
        self._people_topic_arn = people_topic_arn
        self._partly_sent: tuple[Message, set[str]] | None = None

    def send(self, message: Message) -> None:
        """Publish the message to both topics. A failure of one is raised after the other was tried.

        A retry with the same message object publishes only to the topic that failed.
        There are two topics, because all subscribers of a topic get the same text, and chat accepts only its own JSON.
        Source: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
        """
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items() if value}
        publications = []
        if self._chat_topic_arn:
            publications.append(("publish to the chat topic", {"TopicArn": self._chat_topic_arn, "Message": message.chat}))
        if self._people_topic_arn:
            mail = {"Subject": message.subject, "Message": message.text}
            publications.append(("publish to the mail topic", {"TopicArn": self._people_topic_arn, **mail}))
        published = self._partly_sent[1] if self._partly_sent and self._partly_sent[0] is message else set()
        with ThreadPoolExecutor(len(publications) or 1) as pool:  # its exit waits for both
            futures = {
                attempt: pool.submit(self._publish, attempt, MessageAttributes=attributes, **members)
                for attempt, members in publications
                if attempt not in published
            }
        self._partly_sent = (message, published | {attempt for attempt, future in futures.items() if not future.exception()})
        for future in futures.values():
            future.result()
        self._partly_sent = None

    def _publish(self, attempt: str, **members: Any) -> None:
        with translated(attempt):
            self._session.client("sns").publish(**members)
