"""The plan: actions, and blocked actions with their reasons."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lambdas.contract.settings import Severity
from lambdas.domain.diagnosis.finding import Link
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.actions import Action


class BlockReason(StrEnum):
    """Why a broken link is not acted on."""

    NO_BINDING = "no-binding"
    NEEDS_PERSON = "needs-person"  # only a person can change it
    PRECONDITION_FAILED = "precondition-failed"  # the role would not work
    PRECONDITION_UNKNOWN = "precondition-unknown"  # a precondition could not be read
    UPDATE_IN_PROGRESS = "update-in-progress"
    GRACE_PERIOD = "grace-period"
    OBSERVE_MODE = "observe-mode"
    ADDON_RECORD_NOTIFY_ONLY = "addon-record-notify-only"
    ADDON_DEGRADED = "addon-degraded"
    ROLE_NOT_ALLOWED = "role-not-allowed"  # the remediator may not pass it to EKS
    ROLE_OUTSIDE_BOUNDS = "role-outside-bounds"  # outside bound_roles, or of an account that is not configured
    DECLARED_ELSEWHERE = "declared-elsewhere"  # a program declares the association, and would change it back
    TRUST_TOO_BROAD = "trust-too-broad"  # the role trusts any ServiceAccount, so nothing shows that it is meant for this one
    COOLDOWN = "cooldown"
    TOO_MANY_REPAIRS = "too-many-repairs"
    TUG_OF_WAR = "tug-of-war"
    CIRCUIT_BREAKER = "circuit-breaker"
    MAINTENANCE_WINDOW = "maintenance-window"
    CONSEQUENCE = "consequence"  # ends when an earlier link is repaired


@dataclass(frozen=True, kw_only=True)
class BlockedAction:
    """A broken link that is not acted on: the reason, and the time at which the reason ends, if time ends it."""

    link: Link
    reason: BlockReason
    sentence: str
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Actions in the order of their execution, and a reason for every broken link without an action.

    `answers` maps each broken link to the positions of the actions that repair it. `wait` is set while an update is running.
    `needs_approval` requires an approval first. `proposed` are the actions of mode enforce that only the mode blocks.
    """

    verdict: Verdict
    severity: Severity
    actions: tuple[Action, ...] = ()
    blocked: tuple[BlockedAction, ...] = ()
    proposed: tuple[Action, ...] = ()
    answers: tuple[tuple[Link, tuple[int, ...]], ...] = ()
    wait: str | None = None
    needs_approval: bool = False
