"""The fields that all events on the bus have in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lambdas.domain.errors import MalformedEvent
from lambdas.domain.untrusted_json import event_id, kind_of, moment, text


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """One event of the bus. `at` is the sender's time, at most `arrived_at`. `resources` and `detail` are not validated."""

    id: str
    source: str
    kind: str
    at: datetime
    arrived_at: datetime
    account: str
    region: str
    resources: object
    detail: Mapping[str, Any]


def envelope(event: Mapping[str, Any], *, account: str, region: str, arrived_at: datetime) -> Envelope:
    """Read the fields around `detail`.

    Raises:
        MalformedEvent: a field that EventBridge always sends is missing or has another type.

    Source: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
    """
    detail = event.get("detail")
    if not isinstance(detail, Mapping):
        raise MalformedEvent(f"the event's detail should be an object, and is {kind_of(detail)}")
    source, kind = text(event, "source"), text(event, "detail-type")
    if not source or not kind:
        raise MalformedEvent("the event has no source or no detail-type")
    sent = moment(event.get("time"))
    return Envelope(
        id=event_id(event.get("id")),
        source=source,
        kind=kind,
        at=min(sent, arrived_at) if sent else arrived_at,
        arrived_at=arrived_at,
        account=account,
        region=region,
        resources=event.get("resources"),
        detail=detail,
    )
