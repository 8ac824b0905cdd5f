"""The remediation workflow with a person at the terminal: approval at the prompt, notifications where possible, progress on the screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from lambdas.application.remediation.results import (
    ActionResult,
    ActionState,
    AssessmentResult,
    CanaryResult,
    CloseResult,
    DeliveryState,
    NotificationResult,
    ReplacementResult,
    StepResult,
    VerificationResult,
)
from lambdas.application.remediation.steps.history import IncidentRecord
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.workflow_steps import InProcessSteps, PollSchedule, StepId, StepPurpose
from lambdas.contract.settings import Mode, settings_path
from lambdas.domain.assessment.summary import AssessmentSummary, Counts
from lambdas.domain.errors import RemediatorError
from lambdas.domain.incidents.details import TimelineEntry
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.planning.actions import (
    AnnotateServiceAccount,
    CreateAssociation,
    ReplaceCanaryPod,
    ReplaceStalePods,
    RestartWorkload,
    UpdateAddonRole,
    UpdateAssociation,
)
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.messages import message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cli.interactive.incident_lease import IncidentLease
    from cli.interactive.progress_display import ProgressDisplay
    from lambdas.application.remediation.results import NotificationKey
    from lambdas.domain.planning.actions import Action
    from lambdas.domain.planning.planned_binding import PlannedBinding
    from lambdas.domain.ports import EventsPort, Message, NotifierPort, ParametersPort
    from lambdas.notifications.message_context import MessageContext

R = TypeVar("R")
MAX_CLOSE_ATTEMPTS: Final = 3
"""Each attempt after the first has assessed a new signal. A sweep takes over an incident that stays open."""
_NO_PACING: Final = {"cooldown_s": "0", "max_repairs_per_hour": "60", "maintenance_window": "always", "circuit_breaker_clusters": "1000"}


def interactive_values(*, override: bool) -> dict[str, str]:
    """The settings of an interactive run. The person at the prompt decides, so that no floor of the deployment applies to them."""
    return {"mode": str(Mode.APPROVE), **(_NO_PACING if override else {})}


class InteractiveSettings:
    """Parameters of an interactive run: it always requires approval, and with `override` no policy limits its pace."""

    def __init__(self, parameters: ParametersPort, cluster: str, *, override: bool) -> None:
        self._parameters = parameters
        values = interactive_values(override=override)
        self._overlay = {settings_path(cluster, name): Parameter(value=value) for name, value in values.items()}

    def load(self, cluster: str | None = None) -> Mapping[str, Parameter]:
        """Return bindings and settings, with the overlay in place of the cluster's settings."""
        return {**self._parameters.load(cluster), **self._overlay}


class BestEffortNotifier:
    """Notifies chat and event bus where the caller may. A failure becomes a note on the screen, because the user reads it there."""

    def __init__(self, notifier: NotifierPort, events: EventsPort, display: ProgressDisplay) -> None:
        self._notifier = notifier
        self._events = events
        self._display = display

    def send(self, message: Message) -> None:
        """Send a message to the topics."""
        self._try("the message was not sent to chat", lambda: self._notifier.send(message))

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Publish events."""
        self._try("the event was not published", lambda: self._events.put(events))

    def _try(self, failure: str, call: Callable[[], None]) -> None:
        try:
            call()
        except RemediatorError as error:
            self._display.note(f"{failure}: {error}")


@dataclass(kw_only=True)
class InteractiveRemediationSteps(RemediationSteps):
    """Remediation steps that ask for approval at the prompt, send no reminder, and keep what an interrupted run has to record.

    `proposed` is the assessment whose plan the prompt shows, `message` the latest notification.
    """

    has_exact_clock: ClassVar[bool] = False  # that of a laptop
    first: AssessmentSummary | None = None
    current: AssessmentSummary | None = None
    proposed: AssessmentSummary | None = None
    timeline: list[TimelineEntry] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    message: Message | None = None
    signals: int = 0

    def assess(self, iteration: int, former: AssessmentResult, unresolved: tuple[int, ...] = ()) -> AssessmentResult:
        """Assess, and keep the result in case the run is interrupted."""
        result = super().assess(iteration, former, unresolved)
        if result.summary:
            self.first, self.current, self.signals = self.first or result.summary, result.summary, result.signals
        return result

    def apply(self, action: Action, binding: PlannedBinding, former: ActionResult | None = None) -> ActionResult:
        """Apply the action, and keep the result in case the run is interrupted."""
        result = super().apply(action, binding, former)
        if result.state is ActionState.DONE or (result.is_unanswered and result.state is not ActionState.BUSY):
            self.changes.append(action.kind)
            self.timeline.append(TimelineEntry(at=result.at, event=action.kind, text=result.message))
        return result

    def notify(self, key: NotificationKey, context: MessageContext) -> NotificationResult:
        """Notify, and keep the message for the screen. A rejection at the prompt and reminders are not sent."""
        if context.kind in (NotificationKind.REMINDER, NotificationKind.NOT_APPROVED):
            return NotificationResult(at=self.now(), state=DeliveryState.SKIPPED)
        self.message = message(context, environment=self.environment)
        return super().notify(key, context)

    def request_approval(self, context: MessageContext, callback_id: str) -> NotificationResult:  # the parameters are the workflow's
        """Keep the plan for the prompt. No approval request is sent."""
        self.proposed = context.current
        return NotificationResult(at=self.now(), state=DeliveryState.SENT)

    def close_interrupted(self, outcome: Outcome) -> None:
        """Close the incident of a run that ended early, with the applied changes in its history. New signals are assessed first.

        Args:
            outcome: that of a run whose repair is not verified.
        """
        if self.current is None:
            self.assess(1, AssessmentResult())
        if self.first is None or self.current is None:
            return
        result = CloseResult()
        for _ in range(MAX_CLOSE_ATTEMPTS):
            is_verified = (result.is_healthy if result.assessed_at else self.current.is_healthy) and self.changes
            record = IncidentRecord(
                outcome=Outcome.VERIFIED if is_verified else outcome,
                first=self.first,
                current=self.current,
                signals=self.signals,
                timeline=tuple(self.timeline),
                changes=tuple(self.changes),
            )
            result = self.close(record, result)
            if result.is_closed:
                return


@dataclass
class InteractiveSteps(InProcessSteps):
    """Steps of this process with an incident lease and a progress display. The run ends where the workflow would watch for days."""

    lease: IncidentLease | None = None
    display: ProgressDisplay | None = None

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        """Run the step if the lease is still held."""
        self._before(step)
        return super().once(step, do, result)

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        """Poll, and show each result. A wait for a policy says how long it may take."""

        def check_and_show(former: R) -> R:
            self._before(step)
            result = check(former)
            if self.display:
                _show(result, self.display)
            return result

        if step.purpose is StepPurpose.WATCH:
            return initial
        if step.purpose is StepPurpose.PAUSE and self.display:
            self.display.note_pause(schedule.timeout_s)
        return super().until(step, initial, check_and_show, is_settled, schedule)

    def _before(self, step: StepId) -> None:
        if self.lease:
            self.lease.renew()
        if self.display:
            self.display.show_activity(_ACTIVITIES.get(step.part if step.purpose is StepPurpose.APPLY else step.purpose, ""))


def _show(result: object, display: ProgressDisplay) -> None:
    match result:
        case AssessmentResult(summary=AssessmentSummary(counts=counts)) | VerificationResult(counts=Counts() as counts):
            display.show_counts(counts)
        case ActionResult(message=text) | CanaryResult(message=text) | ReplacementResult(message=text) | StepResult(error=text):
            display.show_activity(text)


_ACTIVITIES: Final[Mapping[str, str]] = {
    StepPurpose.ASSESS: "assessing",
    AnnotateServiceAccount.kind: "setting the annotation",
    ReplaceCanaryPod.kind: "replacing the canary pod",
    RestartWorkload.kind: "restarting the workload",
    ReplaceStalePods.kind: "replacing stale pods",
    UpdateAddonRole.kind: "updating the add-on record",
    CreateAssociation.kind: "creating the association",
    UpdateAssociation.kind: "changing the association",
    StepPurpose.VERIFY: "verifying",
    StepPurpose.CLOSE: "writing history",
}
