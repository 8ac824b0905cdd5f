"""The request for one check, which every trigger becomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Trigger(StrEnum):
    """The kind of a trigger. Published as the metric dimension."""

    ADDON_EVENT = "addon-event"
    API_CALL = "api-call"
    NODE_ALARM = "node-alarm"
    NODE_NOT_READY = "node-not-ready"
    IDENTITY_CHANGED = "identity-changed"
    PARAMETER_CHANGED = "parameter-changed"
    REFUSED_CALL = "refused-call"
    SWEEP = "sweep"
    PERSON = "person"


class RoleEffect(StrEnum):
    """What is known of the effect of a write on the role annotation. Published as `effect` of the actor."""

    CHANGED = "changed"  # the policy that warns reports that the role was removed or replaced
    KEPT = "kept"  # the guard kept a role that the request left out
    NONE_AFTER = "none-after"  # the response has no role
    NOT_KNOWN = "not-known"

    @classmethod
    def parse(cls, value: object) -> "RoleEffect":
        """The effect of this name; not known for any other value."""
        return next((effect for effect in cls if effect == value), cls.NOT_KNOWN)


@dataclass(frozen=True, kw_only=True)
class Actor:
    """The author of a change, as far as the event shows.

    `who` is an ARN or a Kubernetes user name, `agent` the user agent or field manager, `what` a short text such as
    `UpdateAddon without a role`, and `address` the IP address or the AWS service that called. `addon_version` is the version that a call
    requested for an add-on, which an update that fails may leave out of the record. `effect` is the effect of a write of a ServiceAccount.
    """

    who: str
    what: str
    agent: str = ""
    at: datetime | None = None
    address: str = ""
    addon_version: str = ""
    effect: RoleEffect = RoleEffect.NOT_KNOWN


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A call that AWS refused, as CloudTrail recorded it.

    `call` is an IAM action such as `ec2:DescribeSubnets`. `principal` is the caller: an ARN, or `system:serviceaccount:<namespace>:<name>`.
    `role_arn` is the role that called or was requested; empty where the record names none. `provider_arn` is the OIDC provider.
    """

    call: str
    code: str
    principal: str
    at: datetime
    role_arn: str = ""
    provider_arn: str = ""
    is_by_cni: bool = False

    @property
    def is_of_token(self) -> bool:
        """Whether the pod got no credentials, so that it could not make any other call."""
        return self.call.startswith(("sts:", "eks-auth:"))


@dataclass(frozen=True, kw_only=True)
class CheckRequest:
    """A hint that something may be wrong. Decisions rest on the snapshot, never on the hint.

    `cluster` None requests every bound cluster, `service_account` None every binding of the cluster.
    `occurred_at` is the time of the event (aware UTC), not of its arrival. `node` is the node that is reported as NotReady.
    `refusal` is set for `Trigger.REFUSED_CALL`. Only AWS can send it, and the bindings decide which ServiceAccounts it concerns.
    `may_be_forged`: any principal with `events:PutEvents` can send the event. AWS refuses the sources of its own services.

    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html
    """

    trigger: Trigger
    occurred_at: datetime
    event_id: str
    cluster: str | None = None
    service_account: tuple[str, str] | None = None
    node: str | None = None
    actor: Actor | None = None
    may_be_forged: bool = False
    refusal: Refusal | None = None

    @property
    def is_about_nodes(self) -> bool:
        """Whether the request reports nodes. Then a check must read nodes, regardless of the identity chain."""
        return self.node is not None or self.trigger in (Trigger.NODE_ALARM, Trigger.NODE_NOT_READY)

    @property
    def log_fields(self) -> dict[str, str]:
        """The fields by which a log line names the request."""
        return {"trigger": self.trigger, "event_id": self.event_id}


@dataclass(frozen=True)
class Ignored:
    """An event that requests nothing, with the reason for the log."""

    reason: str


@dataclass(frozen=True)
class Sweep:
    """A scheduled sweep: a separate request for every bound cluster."""

    occurred_at: datetime


@dataclass(frozen=True)
class DigestDue:
    """The daily schedule: a digest of the day that ends at this time."""

    occurred_at: datetime


@dataclass(frozen=True)
class DeliveryTest:
    """An event that only records its arrival. `nonce` is the random text of the person who sent it."""

    nonce: str


def actor_of(request: Mapping[str, Any]) -> Actor | None:
    """The actor of the request that opened the incident. A person who only requested a check has changed nothing."""
    as_json = request.get("actor")
    if not isinstance(as_json, Mapping) or not as_json.get("who") or request.get("trigger") == Trigger.PERSON:
        return None
    at = datetime.fromisoformat(as_json["at"]) if as_json.get("at") else None
    return Actor(
        who=str(as_json["who"]),
        what=str(as_json.get("what", "")),
        agent=str(as_json.get("agent", "")),
        at=at,
        addon_version=str(as_json.get("addonVersion", "")),
        effect=RoleEffect.parse(as_json.get("effect")),
    )


def refusal_to_json(refusal: Refusal) -> dict[str, Any]:
    """The refusal in the stored request of an incident."""
    return {
        "call": refusal.call,
        "code": refusal.code,
        "principal": refusal.principal,
        "at": refusal.at.isoformat(),
        "roleArn": refusal.role_arn,
        "providerArn": refusal.provider_arn,
        "isByCni": refusal.is_by_cni,
    }


def refusals_of(request: Mapping[str, Any], latest: Mapping[str, Any] | None = None) -> tuple[Refusal, ...]:
    """The refused call that is stored with a request, and the latest one that reached its incident; newest first, each once."""
    found = {_refusal(stored) for stored in (request.get("refusal"), latest) if isinstance(stored, Mapping) and stored.get("call")}
    return tuple(sorted(found, key=lambda refusal: (refusal.at, refusal.call), reverse=True))


def _refusal(stored: Mapping[str, Any]) -> Refusal:
    return Refusal(
        call=str(stored["call"]),
        code=str(stored.get("code", "")),
        principal=str(stored.get("principal", "")),
        at=datetime.fromisoformat(str(stored["at"])),
        role_arn=str(stored.get("roleArn", "")),
        provider_arn=str(stored.get("providerArn", "")),
        is_by_cni=bool(stored.get("isByCni")),
    )
