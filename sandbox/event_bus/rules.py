"""Rules on moto's default bus, all with one queue as their target."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# moto's default target input leaves out the account, and cannot say which rule matched.
_ENVELOPE = '{"rule": "%s", "event": <aws.events.event.json>}'


def make_queue(sqs: Any, name: str) -> tuple[str, str]:
    """A queue's URL and ARN."""
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return url, arn


def put_rule(events: Any, name: str, pattern: Mapping[str, Any], queue_arn: str) -> None:
    """A rule that sends what it matches to the queue, wrapped as `{"rule": name, "event": event}`."""
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), State="ENABLED")
    # One path, though none is used: without any, moto evaluates eight defaults for each event, at milliseconds each.
    transformed = {"InputPathsMap": {"id": "$.id"}, "InputTemplate": _ENVELOPE % name}
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": queue_arn, "InputTransformer": transformed}])
