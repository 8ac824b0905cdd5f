"""Calls of the EKS API, delivered by CloudTrail: the caller, the call and its parameters.

    {"version": "0", "id": "…", "detail-type": "AWS API Call via CloudTrail", "source": "aws.eks", "account": "111122223333",
     "time": "2026-09-27T21:06:47Z", "region": "eu-west-1", "resources": [],
     "detail": {"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/dana", …}, "eventTime":
     "2026-09-27T21:06:47Z",
                "eventSource": "eks.amazonaws.com", "eventName": "UpdateAddon", "userAgent": "aws-cli/2.31.0 …",
                "requestParameters": {"name": "prod-blue", "addonName": "vpc-cni", "resolveConflicts": "OVERWRITE", …},
                "responseElements": {"update": {"id": "…", "status": "InProgress", …}}, …}}

The cluster is `requestParameters.name`: path parameters keep their REST names and may be URL-encoded.
The event is sent when the call is accepted, so the update may still be running.
Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateAddon.html
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

from lambdas.contract.events import ADDON_CALLS, IDENTITY_CALLS
from lambdas.contract.workloads import owned_by
from lambdas.domain.requests.envelope import Envelope
from lambdas.domain.requests.request import Actor, CheckRequest, Ignored, Trigger
from lambdas.domain.untrusted_json import cluster_name, inside, kind_of, label, moment, service_account, text

_LONGEST_PARAMETER: Final = 2_048


def parse(event: Envelope) -> CheckRequest | Ignored:
    """The cluster and ServiceAccount that the call concerns, with the caller.

    Raises:
        MalformedEvent: the call names no cluster.
    """
    call, error = text(event.detail, "eventName"), event.detail.get("errorCode")
    if text(event.detail, "eventSource") != "eks.amazonaws.com" or call not in (*ADDON_CALLS, *IDENTITY_CALLS):
        return Ignored(f"{label(call) or 'a call without a name'} changes no identity")
    if error is not None:
        return Ignored(f"{call} failed with {label(error) or kind_of(error)}: nothing was changed")
    addon = _parameter(event, "addonName")
    owned = owned_by(addon) if call in ADDON_CALLS else _associated(event)
    if call in ADDON_CALLS and addon and owned is None:
        return Ignored(f"{call} is about {label(addon)}, whose ServiceAccount is not supported")
    happened = min(moment(event.detail.get("eventTime")) or event.at, event.arrived_at)
    return CheckRequest(
        trigger=Trigger.API_CALL,
        occurred_at=happened,
        event_id=event.id,
        cluster=cluster_name(_parameter(event, "name") or None, "requestParameters.name"),
        service_account=owned,
        actor=Actor(
            who=_who(event.detail),
            what=_what(event, call),
            agent=label(event.detail.get("userAgent")),
            at=happened,
            address=label(event.detail.get("sourceIPAddress")),
            addon_version=label(_parameter(event, "addonVersion")) if call in ADDON_CALLS else "",
        ),
    )


def _parameter(event: Envelope, name: str) -> str:
    return unquote(text(event.detail, "requestParameters", name)[:_LONGEST_PARAMETER])


def _associated(event: Envelope) -> tuple[str, str] | None:
    """The ServiceAccount of a Pod Identity call. The request names it at creation, the response afterwards."""
    association = inside(event.detail, "responseElements", "association")
    for source in (inside(event.detail, "requestParameters"), association):
        if isinstance(source, Mapping) and source.get("serviceAccount") is not None:
            return service_account(source.get("namespace"), source.get("serviceAccount"))
    return None


def _who(detail: Mapping[str, Any]) -> str:
    identity = inside(detail, "userIdentity")
    names = (
        text(identity, "arn"),
        text(identity, "sessionContext", "sessionIssuer", "arn"),
        text(identity, "invokedBy"),
        text(identity, "userName"),
        text(identity, "principalId"),
    )
    return label(next((item for item in names if item), "unknown"))


def _what(event: Envelope, call: str) -> str:
    if call == "UpdateClusterVersion":
        return f"{call} to {label(_parameter(event, 'version')) or 'an unknown version'}"
    if call not in ADDON_CALLS:
        concerned = _associated(event)
        return f"{call} for {'/'.join(concerned)}" if concerned else call
    named = " ".join(item for item in (call, label(_parameter(event, "addonName")), label(_parameter(event, "addonVersion"))) if item)
    if call == "DeleteAddon":
        is_preserved = inside(event.detail, "requestParameters", "preserve") in (True, "true")
        return f"{named}, its objects preserved" if is_preserved else named
    overwritten = ", with OVERWRITE" if _parameter(event, "resolveConflicts") == "OVERWRITE" else ""
    return f"{named} {_role_asked_for(event)}{overwritten}"


def _role_asked_for(event: Envelope) -> str:
    if role := _parameter(event, "serviceAccountRoleArn"):
        return f"with role {label(role)}"
    associated = inside(event.detail, "requestParameters", "podIdentityAssociations")
    return "with a pod identity association" if isinstance(associated, list) and associated else "without a role"
