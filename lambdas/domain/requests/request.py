"""What every trigger becomes: the request for one check."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Trigger(StrEnum):
    """What made us look; the value is the metric dimension."""

    ADDON_EVENT = "addon-event"
    API_CALL = "api-call"
    NODE_ALARM = "node-alarm"
    NODE_NOT_READY = "node-not-ready"
    IDENTITY_CHANGED = "identity-changed"
    PARAMETER_CHANGED = "parameter-changed"
    SWEEP = "sweep"
    PERSON = "person"


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who did something, as far as the event tells.

    `who` is an ARN or a Kubernetes user name, `agent` the user agent or field manager, `what` a few words such as
    `UpdateAddon without a role`, `address` where the call came from: an IP address, or the AWS service that called.
    """

    who: str
    what: str
    agent: str = ""
    at: datetime | None = None
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class CheckRequest:
    """A hint that something may be wrong. What is done follows from what is observed, never from the hint.

    `cluster` None asks for every bound cluster; `service_account` None for every binding of the cluster.
    `occurred_at` is when it happened (aware UTC), not when it arrived. `node` is the node that is said to be NotReady.
    """

    trigger: Trigger
    occurred_at: datetime
    event_id: str
    cluster: str | None = None
    service_account: tuple[str, str] | None = None
    node: str | None = None
    actor: Actor | None = None

    @property
    def is_about_nodes(self) -> bool:
        """Whether nodes are said to be unwell: then only a look at the nodes answers it, whatever the identity chain is like."""
        return self.node is not None or self.trigger in (Trigger.NODE_ALARM, Trigger.NODE_NOT_READY)


@dataclass(frozen=True)
class Ignored:
    """An event that asks for nothing, and why: told in the log, nothing else."""

    reason: str


@dataclass(frozen=True)
class Sweep:
    """The schedule's turn: every bound cluster is to be checked, each by a request of its own."""

    occurred_at: datetime


@dataclass(frozen=True)
class DigestDue:
    """The daily schedule's turn: the day that ends then is to be summed up."""

    occurred_at: datetime


def actor_of(request: Mapping[str, Any]) -> Actor | None:
    """Who changed what, out of the request that opened the incident. A person who only asked for a check changed nothing."""
    told = request.get("actor")
    if not isinstance(told, Mapping) or not told.get("who") or request.get("trigger") == Trigger.PERSON:
        return None
    at = datetime.fromisoformat(told["at"]) if told.get("at") else None
    return Actor(who=str(told["who"]), what=str(told.get("what", "")), agent=str(told.get("agent", "")), at=at)
