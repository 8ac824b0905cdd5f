"""The details of a closed incident: its first assessment, its timeline, and the counts during the verification."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TimelineEvent(StrEnum):
    """The kind of a timeline entry without an action; the entry of an action has the `kind` of the action. Stored in history."""

    ASSESSMENT = "assessment"
    APPROVAL = "approval"
    CANARY_REPLACEMENT = "canary-replacement"
    ROLLING_REPLACEMENT = "rolling-replacement"
    VERIFICATION = "verification"


@dataclass(frozen=True, kw_only=True)
class TimelineEntry:
    """One event of an incident.

    `at` is aware UTC; None means unknown. `event` is a `TimelineEvent` or the `kind` of an action. `counts` is empty or
    `(pods with the role, pods, Ready nodes, nodes)`.
    """

    at: datetime | None = None
    event: str
    text: str = ""
    counts: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeletedPod:
    """A pod that the remediator deleted and whose successor is missing or not ready. `node` is empty for pods that may run anywhere."""

    name: str
    node: str = ""


@dataclass(frozen=True, kw_only=True)
class CountSample:
    """Pods and nodes in numbers, at one time."""

    at: datetime
    pods_with_role: int
    pods: int
    nodes_ready: int
    nodes: int


@dataclass(frozen=True, kw_only=True)
class NotificationRecord:
    """A notification that the topics accepted. `kind` is a `NotificationKind`; `at` is aware UTC, None where it is not known."""

    kind: str
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class IncidentDetails:
    """The details of a closed incident, a few kilobytes: texts of the first assessment, the timeline, and the counts.

    `broken` are the titles and sentences of the broken links. `actor` is who changed the identity, and how, where that is known.
    `unproven` is what the last assessment did not show about the role, so that an outcome claims no more than was read.
    `first_notified_at` is the time of the first notification that was sent, approval requests aside; None where none was, or where an older
    release closed the incident. `notifications` are all of them, approval requests aside, in their order.
    """

    sentence: str = ""
    severity: str = ""
    broken: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    actor: str = ""
    versions: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
    samples: tuple[CountSample, ...] = ()
    first_notified_at: datetime | None = None
    notifications: tuple[NotificationRecord, ...] = ()


NO_DETAILS = IncidentDetails()
"""The details of an incident whose row has none."""
