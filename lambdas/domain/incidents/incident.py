"""An incident: one fault of one ServiceAccount, from its first signal to the verified repair."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.diagnosis.finding import READABLE_PRECONDITIONS
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.incidents.details import NO_DETAILS, IncidentDetails

REMEDIATOR: Final = "remediator"
"""The holder of an incident that a durable execution works on."""

HEARTBEAT_INTERVAL: Final = timedelta(seconds=30)
"""Interval of the heartbeats of a person's run."""
HEARTBEAT_TIMEOUT: Final = timedelta(minutes=6)
"""Age of the last heartbeat after which a person's run has expired. AWS rejects calls from a clock that is off by more than five minutes,
so the heartbeat of a live run is never older.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
"""


class Outcome(StrEnum):
    """How an incident ended."""

    VERIFIED = "verified"  # repaired, and the repair was verified
    RECOVERED = "recovered"  # healthy again without a write
    BLOCKED = "blocked"  # broken; a policy, a mode or a person prevented the repair
    NEEDS_ACTION = "needs-action"  # broken; only a person can repair it, or the repair was not verified
    INTERRUPTED = "interrupted"  # a person interrupted their own repair before it was verified


class FormerRepair(StrEnum):
    """What is known of the repair by an execution that ended early and whose incident another one took over."""

    NONE = ""
    UNFINISHED = "unfinished"
    FAILED = "failed"  # it was left to a person


FORMER_REPAIR: Final = "formerRepair"
"""The key of the former repair in the request of the incident that took over."""
WAS_REPORTED: Final = "wasReported"
"""The key that says, in the request of an incident that took over, that people were told of the former one."""
BROKEN_PRECONDITIONS: Final = "brokenPreconditions"
"""The key of the preconditions (numbers of links) that the check which opened the incident has read as wrong, in its request."""


@dataclass(frozen=True, kw_only=True)
class Incident:
    """The open incident of one ServiceAccount.

    `signals` counts the events about it. `request` is the first event as JSON, `refusal` the latest refused call. `started` says whether
    its execution is known to have started. `holder` is `remediator` or the ARN of a person, whose last heartbeat is `heartbeat_at`.
    `binding_path` is the parameter that the circuit breaker counts by. While `repairing` is set, the holder may be changing something, and
    a running execution is not taken over. `has_begun_repair` says that `repairing` was set at least once. `execution` numbers the
    executions of the remediator that follow each other, from 1: each has quotas of its own.
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
    has_begun_repair: bool = False
    execution: int = 1
    refusal: Mapping[str, Any] | None = None

    @property
    def former_repair(self) -> FormerRepair:
        """The repair of the execution that this incident was taken over from."""
        stored = self.request.get(FORMER_REPAIR)
        return FormerRepair(stored) if stored in tuple(FormerRepair) else FormerRepair.NONE

    @property
    def was_reported(self) -> bool:
        """Whether people were told of the incident that this one was taken over from."""
        return self.request.get(WAS_REPORTED) is True

    @property
    def broken_preconditions(self) -> tuple[int, ...]:
        """The preconditions, as numbers of links, that the check which opened the incident has read as wrong."""
        stored = self.request.get(BROKEN_PRECONDITIONS)
        return tuple(link for link in READABLE_PRECONDITIONS if isinstance(stored, list) and link in stored)

    @property
    def is_held_by_person(self) -> bool:
        """Whether a person repairs it from a terminal. Then no execution is started for it."""
        return self.holder != REMEDIATOR


@dataclass(frozen=True, kw_only=True)
class PastIncident:
    """A closed incident, as history stores it.

    `changes` are the kinds of the actions that were applied, `old_value` is the annotation before them.
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
    details: IncidentDetails = NO_DETAILS


@dataclass(frozen=True)
class AlreadyAnswered:
    """A check that began after the event found a healthy chain, so the event needs no check."""

    began_at: datetime


MAX_OVERLAP: Final = timedelta(minutes=10)
"""Maximum time between the beginnings of two checks that end in the other order. A stored time further ahead is overwritten."""


class NodesState(StrEnum):
    """The state of the nodes that a healthy check read."""

    SETTLED = "settled"
    STARTING = "starting"  # some nodes are not Ready yet, and are within their grace period


@dataclass(frozen=True, kw_only=True)
class IdleState:
    """The state of a ServiceAccount without an open incident.

    `known_good_at` is the start of the last check that found a healthy chain, `nodes_seen_at` of the last one that read nodes.
    `nodes_unsettled` makes the next check read nodes again. `gone_notified_at` is when people were notified that the cluster does not
    exist.
    While a check holds the lease, `lease_holder` names it, and `signals` counts the events that wait for it. `request` is the latest of
    them
    that names an actor, `refusal` the latest refused call, and `requirements` holds what these events require of the check.
    """

    known_good_at: datetime | None = None
    nodes_seen_at: datetime | None = None
    nodes_unsettled: bool = False
    gone_notified_at: datetime | None = None
    lease_holder: str = ""
    lease_since: datetime | None = None
    signals: int = 0
    request: Mapping[str, Any] | None = None
    refusal: Mapping[str, Any] | None = None
    requirements: frozenset[str] = frozenset()

    def after(self, began_at: datetime, nodes: NodesState | None) -> "IdleState":
        """The state after a healthy check. A check that began later may already have been recorded."""
        later = self.known_good_at is not None and began_at < self.known_good_at <= began_at + MAX_OVERLAP
        known = self if later else replace(self, known_good_at=began_at, gone_notified_at=None)
        if nodes is None or (self.nodes_seen_at and began_at < self.nodes_seen_at <= began_at + MAX_OVERLAP):
            return known
        return replace(known, nodes_seen_at=began_at, nodes_unsettled=nodes is NodesState.STARTING)

    def closed(self, past: "PastIncident", healthy_since: datetime | None) -> "IdleState":
        """The state after an incident was closed. The time is the start of its last assessment, where that one was healthy."""
        if healthy_since:
            return IdleState(known_good_at=healthy_since, nodes_seen_at=healthy_since, nodes_unsettled=True)
        return replace(self, gone_notified_at=past.closed_at if past.verdict == Verdict.CLUSTER_GONE else None)


class CheckRequirement(StrEnum):
    """What an event requires of the check that answers it."""

    NODES = "nodes"  # read nodes: the event says that nodes are not Ready
    UNCACHED = "uncached"  # read everything again: cached values are out of date


@dataclass(frozen=True)
class Deferred:
    """Another check holds the lease. It repeats for this event before it ends."""

    lease_holder: str


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One event that needs an answer.

    `check` names the run that delivers it, `at` is the time of delivery (aware UTC). `request` is the request as JSON where it names an
    actor, and `refusal` is the refused call as JSON.
    `answerable` says whether a finished check may already have answered it. A `quiet` signal needs no answer.
    """

    occurred_at: datetime
    check: str
    at: datetime
    requirements: frozenset[str] = frozenset()
    answerable: bool = True
    request: Mapping[str, Any] | None = None
    quiet: bool = False
    refusal: Mapping[str, Any] | None = None


SignalResult = Incident | AlreadyAnswered | Deferred | IdleState
"""The result of a signal: an open incident that counts it, an earlier answer, another check that handles it, or the lease for this one."""

EVENT_TIME_GRAIN: Final = timedelta(seconds=1)
"""EventBridge cuts the time of an event to whole seconds, so the event may have happened up to one second later."""
FUNCTION_CLOCKS: Final = timedelta(seconds=1)
"""Maximum difference between the clock of a function and that of an event's sender: an allowance of ours. NTP sets the clocks of functions,
and no bound is documented.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html (TZ)
"""
ANSWERS_AFTER: Final = EVENT_TIME_GRAIN + FUNCTION_CLOCKS
"""How much later than an event's time a check must have begun, so that it certainly covers the event."""


KEPT_INTERVAL: Final = timedelta(days=1)
"""Minimum time between two messages that the guard kept the role of one ServiceAccount. A tool may leave the role out every few minutes."""
FORGEABLE_INTERVAL: Final = timedelta(minutes=1)
"""Minimum time between two requests that cost a check each, by events that any principal of the account may send."""
CLOCK_SKEW: Final = timedelta(minutes=10)
"""Maximum difference between two clocks. A stored time further in the future was not written by a check, and is ignored."""


def is_in_future(at: datetime, now: datetime) -> bool:
    """Whether a stored time cannot have been written yet, so that it must not answer, defer or silence anything."""
    return at > now + CLOCK_SKEW


def is_answer(began_at: datetime, occurred_at: datetime) -> bool:
    """Whether a healthy check that began at `began_at` certainly covers the event."""
    return began_at >= occurred_at + ANSWERS_AFTER


def find_answer(idle: IdleState, signal: Signal) -> AlreadyAnswered | None:
    """The earlier check that answers the signal, if any. Only a check that read nodes answers a signal about nodes."""
    began_at = idle.nodes_seen_at if CheckRequirement.NODES in signal.requirements else idle.known_good_at
    if not signal.answerable or began_at is None or is_in_future(began_at, signal.at):
        return None
    return AlreadyAnswered(began_at) if is_answer(began_at, signal.occurred_at) else None


def is_heartbeat_expired(incident: Incident, now: datetime) -> bool:
    """Whether the person's last heartbeat is too old: a closed laptop or a lost connection."""
    at = incident.heartbeat_at
    return at is None or now - at > HEARTBEAT_TIMEOUT or is_in_future(at, now)
