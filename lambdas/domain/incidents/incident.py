"""An incident: one fault of one ServiceAccount, from its first signal to the proof."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.diagnosis.verdict import Verdict

REMEDIATOR: Final = "remediator"
"""The holder of an incident that a durable execution works on."""

HEARTBEAT_INTERVAL: Final = timedelta(seconds=30)
"""How often a person's run says that it is still there."""
HEARTBEAT_TIMEOUT: Final = timedelta(minutes=6)
"""When a person's run counts as gone. AWS takes no call from a clock that is more than five minutes off, so nobody who beats looks older.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
"""


class Outcome(StrEnum):
    """How an incident ended."""

    VERIFIED = "verified"  # repaired, and seen to work
    RECOVERED = "recovered"  # well again before we wrote anything
    BLOCKED = "blocked"  # broken; a rule, a mode or a person kept us from acting
    NEEDS_ACTION = "needs-action"  # broken; only a person can repair it, or our repair did not prove itself


@dataclass(frozen=True, kw_only=True)
class Incident:
    """The open incident of one ServiceAccount.

    `signals` counts every event that pointed here. `request` is the first one as JSON, `started` whether its execution is known to have
    begun, `holder` who works on it: `remediator`, or the ARN of a person, whose last sign of life is `heartbeat_at`. `binding_path` is the
    parameter that was found not to hold, which the breaker counts by. While `repairing` is set its holder may be changing something, and
    nobody takes it over who finds its execution running.
    """

    id: str
    target: ServiceAccountRef
    opened_at: datetime
    signals: int
    request: Mapping[str, Any]
    started: bool = False
    execution_arn: str | None = None
    holder: str = REMEDIATOR
    callback_id: str | None = None
    binding_path: str | None = None
    heartbeat_at: datetime | None = None
    repairing: bool = False

    @property
    def is_held_by_person(self) -> bool:
        """Whether somebody repairs it from a terminal: no execution is to be started for it."""
        return self.holder != REMEDIATOR


@dataclass(frozen=True, kw_only=True)
class PastIncident:
    """One line of history.

    `changes` are the writes made, `old_value` the annotation before them, `details` what a timeline
    shows (JSON).
    """

    id: str
    target: ServiceAccountRef
    opened_at: datetime
    closed_at: datetime
    outcome: Outcome
    verdict: str
    trigger: str
    changes: tuple[str, ...]
    signals: int
    binding_path: str | None = None
    binding_version: int | None = None
    old_value: str | None = None
    details: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class AlreadyAnswered:
    """A check that began after the event happened found all well: nothing to do."""

    began_at: datetime


class NodesState(StrEnum):
    """What a check that found all well saw of the nodes, where it read them."""

    SETTLED = "settled"
    STARTING = "starting"  # some are not Ready yet, and within their grace


@dataclass(frozen=True, kw_only=True)
class IdleState:
    """No incident is open.

    `known_good_at` is the start of the last check that found a healthy chain, `nodes_seen_at` of the last one that read nodes.
    `nodes_unsettled` asks the next check to read nodes again. `gone_told_at` is when people were told that the cluster does not exist.
    While a check runs, `lease_holder` names it, and `signals` counts the events that wait for its answer. `told` is the latest of them
    that names an actor; `asks` holds what the events require of the check.
    """

    known_good_at: datetime | None = None
    nodes_seen_at: datetime | None = None
    nodes_unsettled: bool = False
    gone_notified_at: datetime | None = None
    lease_holder: str = ""
    lease_since: datetime | None = None
    signals: int = 0
    request: Mapping[str, Any] | None = None
    requirements: frozenset[str] = frozenset()

    def after(self, began_at: datetime, nodes: NodesState | None) -> "IdleState":
        """The same after a check that began then and found all well, which may be heard of later than one that began after it."""
        later = self.known_good_at is not None and self.known_good_at > began_at
        known = self if later else replace(self, known_good_at=began_at, gone_notified_at=None)
        if nodes is None or (self.nodes_seen_at and self.nodes_seen_at > began_at):
            return known
        return replace(known, nodes_seen_at=began_at, nodes_unsettled=nodes is NodesState.STARTING)

    def closed(self, past: "PastIncident", healthy_since: datetime | None) -> "IdleState":
        """The same after an incident was closed; `sound_since` is when its last look began, where that found all well."""
        if healthy_since:
            return IdleState(known_good_at=healthy_since, nodes_seen_at=healthy_since, nodes_unsettled=True)
        return replace(self, gone_notified_at=past.closed_at if past.verdict == Verdict.CLUSTER_GONE else None)


class CheckRequirements(StrEnum):
    """What an event wants of the look that answers it, beyond a quick one."""

    NODES = "nodes"  # read them: they are said to be unwell
    ANEW = "anew"  # read everything again: what is remembered from before is out of date


@dataclass(frozen=True)
class Deferred:
    """Another check is on duty: before it ends it looks again, for this event, too."""

    lease_holder: str


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One event on its way to be answered.

    `check` names the run that brings it, `at` is when (aware). `told` is the request as JSON where it names an actor, so that whoever looks
    can tell who did it; `answerable` says whether a check that has ended may have answered it. Nobody waits for an answer to a `quiet` one.
    """

    occurred_at: datetime
    check: str
    at: datetime
    requirements: frozenset[str] = frozenset()
    answerable: bool = True
    request: Mapping[str, Any] | None = None
    quiet: bool = False


SignalResult = Incident | AlreadyAnswered | Deferred | IdleState
"""What a signal meets: an open incident (it is counted there), an answer, another check that looks; or nothing, so that it is to look."""

EVENT_TIME_GRAIN: Final = timedelta(seconds=1)
"""EventBridge cuts an event's time to whole seconds, so it may have happened up to one second later than it says."""


def is_answer(began_at: datetime, occurred_at: datetime) -> bool:
    """Whether a check that began then, and found all well, has certainly seen what the event tells of."""
    return began_at >= occurred_at + EVENT_TIME_GRAIN


def find_answer(free: IdleState, signal: Signal) -> AlreadyAnswered | None:
    """The check that has answered it, if any. Only one that read nodes answers what is said about nodes."""
    began_at = free.nodes_seen_at if CheckRequirements.NODES in signal.requirements else free.known_good_at
    return AlreadyAnswered(began_at) if signal.answerable and began_at is not None and is_answer(began_at, signal.occurred_at) else None


def is_heartbeat_expired(incident: Incident, now: datetime) -> bool:
    """Whether the person who holds the incident has given no sign of life for too long: a closed laptop, a lost connection."""
    return incident.heartbeat_at is None or now - incident.heartbeat_at > HEARTBEAT_TIMEOUT
