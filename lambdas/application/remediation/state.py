"""The state of a remediation, and one iteration of it. A replay rebuilds both from the stored results."""

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Final

from lambdas.application.remediation.carried_state import CarriedState, UndeliveredNotification
from lambdas.application.remediation.results import ActionResult, ActionState, AssessingResult, AssessmentResult
from lambdas.application.remediation.steps.history import MAX_ENTRIES, IncidentRecord
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.workflow_steps import StepId, StepPurpose, Steps
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.diagnosis.finding import READABLE_PRECONDITIONS, Link, State
from lambdas.domain.incidents.details import CountSample, DeletedPod, NotificationRecord, TimelineEntry, TimelineEvent
from lambdas.domain.incidents.incident import Incident, Outcome
from lambdas.domain.planning.actions import Action, AnnotateServiceAccount, UpdateAssociation
from lambdas.domain.verification import is_verified
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import ApprovalAnswer, MessageContext

AS_THEY_ARE: Final = tuple(
    item.name for item in fields(CarriedState) if item.name not in ("iteration", "timeline", "samples", "changes", "notifications")
)
"""The fields of a carried state that are equal to those of the workflow's state."""
IDENTITY: Final = (Link.MECHANISM, Link.ANNOTATION, Link.PODS)
"""The links that say which role pods get."""


@dataclass
class WorkflowState:
    """The assessments, changes and notifications so far.

    `first` and `current` are the first and the latest assessment; `signals` were counted before the latest one. `annotated` is our
    annotation until it is verified, `associated` our change of an association. `notified` is the kind of the latest notification that is
    no reminder, `first_notified_at` the time of the first one that was sent, and `undelivered` is one that could not be sent.
    `is_verified` holds from a verified repair to the next repair, `gave_up` from the first failed repair on. `began_at` is the time of this
    execution's first assessment, and `latest_at` that of its latest step, as far as it is known. `unresolved` are the links that were
    broken and have not been read as right since. `unanswered` are the kinds of changes whose write got no answer: they count as changes,
    and whether they took effect is not known.
    """

    incident: Incident
    first: AssessmentSummary | None = None
    current: AssessmentSummary | None = None
    signals: int = 0
    timeline: list[TimelineEntry] = field(default_factory=list)
    samples: list[CountSample] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    repairs: int = 0
    approval_requests: int = 0
    gave_up: bool = False
    is_verified: bool = False
    annotated: AnnotateServiceAccount | None = None
    associated: UpdateAssociation | None = None
    answer: ApprovalAnswer | None = None
    notified: NotificationKind | None = None
    first_notified_at: datetime | None = None
    notifications: list[NotificationRecord] = field(default_factory=list)
    undelivered: UndeliveredNotification | None = None
    began_at: datetime | None = None
    latest_at: datetime | None = None
    unresolved: tuple[int, ...] = ()
    unanswered: tuple[str, ...] = ()

    @classmethod
    def begin(cls, incident: Incident) -> "WorkflowState":
        """The state before the first assessment. After a take-over nothing tells which links were broken, so the identity may be."""
        is_taken_over = incident.was_reported or incident.former_repair
        return cls(incident, unresolved=(*incident.broken_preconditions, *(IDENTITY if is_taken_over else ())))

    @classmethod
    def resume(cls, incident: Incident, carried: CarriedState) -> "WorkflowState":
        """The state that the execution before this one has handed over."""
        state = cls(incident, **{name: getattr(carried, name) for name in AS_THEY_ARE})
        state.timeline, state.samples, state.changes = list(carried.timeline), list(carried.samples), list(carried.changes)
        state.notifications = list(carried.notifications)
        return state

    def carry(self, iteration: int) -> CarriedState:
        """The state for the next execution, after this iteration. Of the timeline it keeps as much as history does."""
        return CarriedState(
            iteration=iteration,
            timeline=tuple(self.timeline[-MAX_ENTRIES:]),
            samples=tuple(self.samples[-MAX_ENTRIES:]),
            changes=tuple(self.changes),
            notifications=tuple(self.notifications[-MAX_ENTRIES:]),
            **{name: getattr(self, name) for name in AS_THEY_ARE},
        )

    @property
    def age(self) -> timedelta:
        """The time from this execution's first assessment to its latest step."""
        return self.latest_at - self.began_at if self.latest_at and self.began_at else timedelta()

    def record_assessment(self, summary: AssessmentSummary, at: datetime | None) -> None:
        """Make this the latest assessment."""
        self.first, self.current = self.first or summary, summary
        self.began_at = self.began_at or at
        broken, undecided = _links_in(summary, State.BROKEN), self._undecided_links(summary)
        self.unresolved = tuple(sorted(broken | (undecided & set(self.unresolved))))
        counts = summary.counts
        self.record(TimelineEvent.ASSESSMENT, str(summary.verdict), at, counts.pods_right, counts.pods, counts.nodes_ready, counts.nodes)

    def record_reads(self, result: AssessingResult) -> None:
        """Remember when a step ended that has assessed, and the preconditions that an assessment read as wrong which was not kept."""
        self.latest_at = result.at or self.latest_at
        self.unresolved = tuple(sorted({*self.unresolved, *result.refuted}))

    def record(self, event: str, text: str, at: datetime | None, *counts: int) -> None:
        """Add an entry to the timeline."""
        self.latest_at = at or self.latest_at
        self.timeline.append(TimelineEntry(at=at, event=event, text=text, counts=counts))

    def record_action(self, action: Action, result: ActionResult) -> None:
        """Add an applied action to the timeline and, where we have made the change or may have, to the changes."""
        self.record(action.kind, result.message, result.at)
        if result.state is ActionState.DONE and not result.is_by_other:
            self.changes.append(action.kind)
            self.unanswered = tuple(kind for kind in self.unanswered if kind != action.kind)
        elif result.is_unanswered:
            if action.kind not in self.changes:
                self.unanswered = (*self.unanswered, action.kind)
            self.changes.append(action.kind)

    def is_repaired(self, summary: AssessmentSummary) -> bool:
        """Whether the fault has ended: no link is broken, and each one that was broken was read again.

        Where we changed something, or a repair before a take-over may have, one verification must have succeeded since.
        """
        if not summary.is_healthy or self.is_undecided(summary):
            return False
        return not self._may_have_changed or self.is_verified or is_verified(summary)

    def is_undecided(self, summary: AssessmentSummary) -> bool:
        """Whether nothing is broken any more, and the end of the fault is not shown: a broken link was not read, a pod is not ready
        yet, or lacks the role. After a change of ours a verification decides, except about a role, an OIDC provider or a trust policy,
        and except about a fault that was reported after it.

        A refused call is no such link: it is evidence that expires, and nothing shows that the call would succeed now.
        """
        if not summary.is_healthy:
            return False
        undecided = self._undecided_links(summary) & set(self.unresolved) - {Link.PERMISSION_ERRORS}
        if self._may_have_changed and not self.is_reported_since_verified:
            return not undecided.isdisjoint(READABLE_PRECONDITIONS)
        return summary.counts.pods_ready < summary.counts.pods or bool(undecided) or self._lacks_role(summary)

    @property
    def _may_have_changed(self) -> bool:
        return bool(self.changes or self.incident.former_repair)

    @property
    def is_reported_since_verified(self) -> bool:
        """Whether people were told of another fault after a verified repair."""
        return self.is_verified and self.notified not in (None, NotificationKind.VERIFIED)

    def _lacks_role(self, summary: AssessmentSummary) -> bool:
        """Whether pods lack the role since the annotation was wrong, or since the binding was deleted. Without a binding no link says so:
        their role is only compared.
        """
        was_wrong = self.first is not None and Link.ANNOTATION in _links_in(self.first, State.BROKEN)
        return (
            (was_wrong or self._has_lost_binding(summary))
            and bool(summary.desired_role)
            and summary.counts.pods_right < summary.counts.pods
        )

    def _undecided_links(self, summary: AssessmentSummary) -> set[int]:
        """Links that are neither shown to hold nor broken. If the binding was deleted, or without one the add-on record could not be read,
        nothing says which role is right; and if the cluster could not be read, no other link was checked.
        """
        unknown = _links_in(summary, State.UNKNOWN)
        is_record_unread = not summary.desired_role and Link.ADDON_RECORD in unknown
        is_unread = Link.CLUSTER in _links_in(summary, State.BROKEN)
        return unknown | (
            _links_in(summary, State.NOT_APPLICABLE) if self._has_lost_binding(summary) or is_record_unread or is_unread else set()
        )

    def _has_lost_binding(self, summary: AssessmentSummary) -> bool:
        return self.first is not None and bool(self.first.binding_path) and not summary.binding_path

    def message_context(
        self, kind: NotificationKind, *, verification: str = "", trouble: str = "", deleted_pod: DeletedPod | None = None
    ) -> MessageContext:
        """The data for a notification of this kind. A deleted pod that has a ready successor by now is left out."""
        first, current = self._assessments()
        return MessageContext(
            kind=kind,
            incident=self.incident,
            first=first,
            current=current,
            timeline=tuple(self.timeline),
            changes=tuple(self.changes),
            unanswered=self.unanswered,
            signals=self.signals,
            verification=verification,
            trouble=trouble,
            answer=self.answer,
            deleted_pod=None if _is_complete(current) else deleted_pod,
            is_verified=self.is_verified,
            has_begun_repair=self.repairs > 0,
            latest_at=self.latest_at,
        )

    def incident_record(self, outcome: Outcome) -> IncidentRecord:
        """The data for history."""
        first, current = self._assessments()
        return IncidentRecord(
            outcome=outcome,
            first=first,
            current=current,
            signals=self.signals,
            timeline=tuple(self.timeline),
            samples=tuple(self.samples),
            changes=tuple(self.changes),
            first_notified_at=self.first_notified_at,
            notifications=tuple(self.notifications),
        )

    def _assessments(self) -> tuple[AssessmentSummary, AssessmentSummary]:
        if self.first is None or self.current is None:
            raise ValueError(f"incident {self.incident.id} has no assessment yet")
        return self.first, self.current


def _is_complete(summary: AssessmentSummary) -> bool:
    """Whether as many pods as the workload wants are ready, without those of lost nodes."""
    return 0 < summary.counts.pods_wanted <= summary.counts.pods_ready + summary.counts.pods_lost


def _links_in(summary: AssessmentSummary, state: State) -> set[int]:
    return {link.link for link in summary.links if link.state == state}


@dataclass(frozen=True)
class Iteration:
    """One assessment of an incident and what follows from it. Its number makes the ids of its steps unique."""

    number: int
    state: WorkflowState
    steps: Steps
    work: RemediationSteps

    def assess(self, former: AssessmentResult) -> AssessmentResult:
        """Assess now."""
        return self.work.assess(self.number, former, self.state.unresolved)

    def step(self, purpose: StepPurpose, part: str = "", position: int = 0) -> StepId:
        """The id of a step of this iteration."""
        return StepId(purpose, self.number, position, part)
