"""SNS: one topic that Amazon Q Developer brings to chat, one for mail and pagers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from lambdas.adapters.aws_errors import translated

if TYPE_CHECKING:
    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.ports import Message


class Notifier:
    """Implements `NotifierPort`. A topic whose ARN is empty is not there, and nothing is sent to it."""

    def __init__(self, session: AwsSession, *, chat_topic_arn: str, people_topic_arn: str) -> None:
        self._session = session
        self._chat_topic_arn = chat_topic_arn
        self._people_topic_arn = people_topic_arn
        self._half_sent: tuple[Message, set[str]] | None = None

    def send(self, message: Message) -> None:
        """Tell the chat and people. A chat that fails does not keep people from being told; the failure is raised after.

        Tried again with the same message, whoever has been told is not told twice.
        Two topics, since every subscriber of a topic gets the same text, and chat takes its own JSON alone.
        Source: https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
        """
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items() if value}
        asked = []
        if self._chat_topic_arn:
            asked.append(("tell the chat", {"TopicArn": self._chat_topic_arn, "Message": message.chat}))
        if self._people_topic_arn:
            words = {"Subject": message.subject, "Message": message.text}
            asked.append(("tell people", {"TopicArn": self._people_topic_arn, **words}))
        told = self._half_sent[1] if self._half_sent and self._half_sent[0] is message else set()
        with ThreadPoolExecutor(len(asked) or 1) as pool:  # which waits for both, whatever comes of one
            sent = {
                attempt: pool.submit(self._publish, attempt, MessageAttributes=attributes, **members)
                for attempt, members in asked
                if attempt not in told
            }
        self._half_sent = (message, told | {attempt for attempt, each in sent.items() if not each.exception()})
        for each in sent.values():
            each.result()
        self._half_sent = None

    def _publish(self, attempt: str, **members: Any) -> None:
        with translated(attempt):
            self._session.client("sns").publish(**members)
