"""The state of the workflow that one durable execution hands to the next."""

from dataclasses import dataclass
from datetime import datetime

from lambdas.application.remediation.results import NotificationKey
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.incidents.details import CountSample, DeletedPod, NotificationRecord, TimelineEntry
from lambdas.domain.planning.actions import AnnotateServiceAccount, UpdateAssociation
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import ApprovalAnswer


@dataclass(frozen=True, kw_only=True)
class UndeliveredNotification:
    """A notification that could not be sent. When it is sent again, it describes the state at that time."""

    key: NotificationKey
    verification: str = ""
    trouble: str = ""
    deleted_pod: DeletedPod | None = None


@dataclass(frozen=True, kw_only=True)
class CarriedState:
    """The state that one execution hands to the next, after this iteration. Its fields are those of `WorkflowState`."""

    iteration: int
    first: AssessmentSummary | None = None
    current: AssessmentSummary | None = None
    signals: int = 0
    timeline: tuple[TimelineEntry, ...] = ()
    samples: tuple[CountSample, ...] = ()
    changes: tuple[str, ...] = ()
    repairs: int = 0
    approval_requests: int = 0
    gave_up: bool = False
    is_verified: bool = False
    annotated: AnnotateServiceAccount | None = None
    associated: UpdateAssociation | None = None
    answer: ApprovalAnswer | None = None
    notified: NotificationKind | None = None
    first_notified_at: datetime | None = None
    notifications: tuple[NotificationRecord, ...] = ()
    undelivered: UndeliveredNotification | None = None
    unresolved: tuple[int, ...] = ()
    unanswered: tuple[str, ...] = ()
