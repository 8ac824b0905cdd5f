"""The dead-letter queue of a function, with messages in Lambda's format."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class DeadLetters:
    """One SQS queue for each function. `client` returns a boto3 client by service name."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self._urls: dict[str, str] = {}

    def queue_of(self, function: str) -> str:
        """URL of a function's queue, created at the first call."""
        if function not in self._urls:
            self._urls[function] = str(self._client("sqs").create_queue(QueueName=f"{function}-dead")["QueueUrl"])
        return self._urls[function]

    def arn_of(self, function: str) -> str:
        """ARN of a function's queue."""
        answer = self._client("sqs").get_queue_attributes(QueueUrl=self.queue_of(function), AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def __call__(self, function: str, payload: bytes, error: bytes) -> None:
        """Store an event whose attempts all failed.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        """
        message = _message(error)
        attributes = {"ErrorCode": "200", "ErrorMessage": message[:1024] or "Unhandled"}
        self._client("sqs").send_message(
            QueueUrl=self.queue_of(function),
            MessageBody=payload.decode(),
            MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
        )

    def waiting(self, function: str) -> list[Any]:
        """Payloads in a function's queue, which remain in it."""
        sqs = self._client("sqs")
        found = sqs.receive_message(QueueUrl=self.queue_of(function), MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages", [])
        return [json.loads(message["Body"]) for message in found]


def _message(error: bytes) -> str:
    try:
        return str(json.loads(error).get("errorMessage", ""))
    except (ValueError, AttributeError):
        return error.decode(errors="replace")
