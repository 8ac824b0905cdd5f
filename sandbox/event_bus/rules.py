"""Rules on moto's default bus with one queue as their target."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# moto's default input of a target omits the account and the matched rule.
_ENVELOPE = '{"rule": "%s", "event": <aws.events.event.json>}'


def make_queue(sqs: Any, name: str) -> tuple[str, str]:
    """Create a queue; returns its URL and ARN."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


def put_rule(events: Any, name: str, pattern: Mapping[str, Any], queue_arn: str, state: str) -> None:
    """Create a rule that sends matching events to the queue, wrapped as `{"rule": name, "event": event}`."""
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), State=state)
    # One path, although none is used: without paths, moto evaluates eight defaults for each event, which takes milliseconds.
    transformed = {"InputPathsMap": {"id": "$.id"}, "InputTemplate": _ENVELOPE % name}
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue_arn, "InputTransformer": transformed}])
