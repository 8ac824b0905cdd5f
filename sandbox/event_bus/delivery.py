"""Delivers events to a function through the Lambda API, with retries, and at last to the dead-letter queue of the rule."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.event_bus.rules import make_queue

if TYPE_CHECKING:
    from sandbox.aws.local_aws import LocalAws


@dataclass(frozen=True)
class Delivery:
    """One event that a rule delivered. `error` is empty if Lambda accepted it."""

    rule: str
    event: dict[str, Any]
    error: str = ""


class EventDelivery:
    """Delivers events to one function, several at a time; a context manager.

    `attempts` and `pause_s` are the retry policy (EventBridge: 185 in 24 h). Events that Lambda rejects go to the queue `dead_letters`.
    """

    def __init__(self, aws: LocalAws, function: str, *, attempts: int, pause_s: float) -> None:
        self._aws = aws
        self._function = function
        self._attempts = attempts
        self._pause_s = pause_s
        self._done: list[Delivery] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="event-hand-over")
        self.dead_letters = ""
        self._dead_letters_arn = ""

    def __enter__(self) -> Self:
        self.dead_letters, self._dead_letters_arn = make_queue(self._aws.client("sqs"), f"bus-{self._function}-dead")
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def dead_letters_arn(self) -> str:
        """ARN of the queue of undelivered events."""
        return self._dead_letters_arn

    def submit(self, rule: str, event: dict[str, Any]) -> None:
        """Deliver an event soon, for the rule that matched it."""
        self._pool.submit(self._hand_over, rule, event)

    def deliveries(self) -> tuple[Delivery, ...]:
        """The deliveries so far, in order."""
        with self._lock:
            return tuple(self._done)

    def _hand_over(self, rule: str, event: dict[str, Any]) -> None:
        error = ""
        for attempt in range(self._attempts):
            if attempt and self._stopping.wait(self._pause_s * 2 ** (attempt - 1)):
                return
            error = self._invoked(event)
            if not error:
                break
        with self._lock:
            self._done.append(Delivery(rule, event, error))
        if error:
            self._send_dead_letter(rule, event, error)

    def _invoked(self, event: dict[str, Any]) -> str:
        """The error code if Lambda rejected the event, else empty."""
        try:
            self._aws.client("lambda").invoke(FunctionName=self._function, InvocationType="Event", Payload=json.dumps(event))
        except ClientError as refused:
            return str(refused.response["Error"]["Code"])
        except BotoCoreError as failed:
            return type(failed).__name__
        return ""

    def _send_dead_letter(self, rule: str, event: dict[str, Any], error: str) -> None:
        """Send the event to the dead-letter queue with the attributes of EventBridge.

        Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
        """
        attributes = {"RULE_NAME": rule, "ERROR_CODE": error, "RETRY_ATTEMPTS": str(self._attempts)}
        self._aws.client("sqs").send_message(
            QueueUrl=self.dead_letters,
            MessageBody=json.dumps(event),
            MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
        )
