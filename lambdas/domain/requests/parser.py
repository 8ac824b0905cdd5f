"""Every trigger becomes the same request for a check; what no trigger sends is ignored or refused, each with a sentence."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from lambdas.contract.events import ADDON_EVENTS, CLOUDTRAIL, OwnEvent
from lambdas.contract.names import EVENT_SOURCE
from lambdas.domain.errors import MalformedEvent
from lambdas.domain.requests import addon_event, api_call, kubernetes_event, node_alarm, own_event, parameter_change, person, refused_call
from lambdas.domain.requests.envelope import Envelope, envelope
from lambdas.domain.requests.request import CheckRequest, DeliveryTest, DigestDue, Ignored, Sweep
from lambdas.domain.untrusted_json import label, text

_BY_SOURCE_AND_KIND: Final[Mapping[tuple[str, str], Callable[[Envelope], CheckRequest | Ignored]]] = {
    **{("aws.eks", kind): addon_event.parse for kind in ADDON_EVENTS},
    ("aws.eks", CLOUDTRAIL): api_call.parse,
    **{(source, CLOUDTRAIL): refused_call.parse for source in ("aws.ec2", "aws.sts", "aws.eks-auth")},
    ("aws.cloudwatch", "CloudWatch Alarm State Change"): node_alarm.parse,
    ("aws.ssm", parameter_change.KIND): parameter_change.parse,
}


def parse(event: object, *, account: str, region: str, now: datetime) -> CheckRequest | Ignored | Sweep | DigestDue | DeliveryTest:
    """The request that an event makes of the checker.

    Args:
        event: what the function was invoked with: parsed JSON of any size, depth and shape.
        account: ours; an event of another one, or of another region, is ignored.
        region: ours.
        now: when the event arrived (aware UTC). A later time in the event is replaced by it: an event from the future would never be
            answered by a check that has been made.

    Raises:
        MalformedEvent: it violates the format of its type. No other error is raised.
    """
    if not isinstance(event, Mapping):
        raise MalformedEvent("an event should be a JSON object")
    if "detail-type" not in event:
        if "cluster" in event:
            return person.parse(event, arrived_at=now)
        raise MalformedEvent("this is neither an event of the bus (no detail-type) nor a person's request (no cluster)")
    read = envelope(event, account=account, region=region, arrived_at=now)
    elsewhere = _elsewhere(event, read, account, region)
    if elsewhere:
        return Ignored(elsewhere)
    return _parsed(read)


def _elsewhere(event: Mapping[str, object], read: Envelope, account: str, region: str) -> str:
    """Why the event is not of our account and region, or nothing. The schedules' own inputs carry neither field."""
    if read.source == EVENT_SOURCE and read.kind in (OwnEvent.SWEEP, OwnEvent.DIGEST) and "account" not in event and "region" not in event:
        return ""
    came_from = text(event, "account"), text(event, "region")
    if came_from == (account, region):
        return ""
    origin = " in ".join(label(item) or "(not stated)" for item in came_from)
    return f"{label(read.kind)} comes from account {origin}, which is not ours"


def _parsed(event: Envelope) -> CheckRequest | Ignored | Sweep | DigestDue | DeliveryTest:
    if event.source == EVENT_SOURCE:
        return own_event.parse(event)
    if event.kind == kubernetes_event.KIND:  # the source is the operator's choice
        return kubernetes_event.parse(event)
    parser = _BY_SOURCE_AND_KIND.get((event.source, event.kind))
    return parser(event) if parser else Ignored(f"{label(event.kind)} from {label(event.source)} is not a supported event")
