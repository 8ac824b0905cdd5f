"""The steps of the remediation workflow, one method each, over the ports.

No step raises what may succeed later. Each may run twice with the effect of one run, since a crash can lose its checkpoint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from math import ceil
from typing import Any, ClassVar, Final

from lambdas.application.assessment import assess
from lambdas.application.readers import Hints
from lambdas.application.remediation.carried_state import CarriedState
from lambdas.application.remediation.results import (
    AssessmentResult,
    CanaryResult,
    CanaryState,
    ClaimResult,
    CloseResult,
    DeliveryState,
    HandOverResult,
    NotificationKey,
    NotificationResult,
    ReplacementResult,
    ReplacementState,
    StepResult,
    VerificationResult,
)
from lambdas.application.remediation.steps.action_steps import ActionSteps
from lambdas.application.remediation.steps.canary import (
    LOST_NODE_CHECKS,
    SHORT_PAUSES_S,
    Canary,
    deletion_of,
    judge,
    needs_node_check,
    successor,
)
from lambdas.application.remediation.steps.history import IncidentRecord, past_incident
from lambdas.application.remediation.steps.rolling_replacement import Reach, next_batch
from lambdas.application.remediation.steps.step_context import MAX_ERROR_LENGTH
from lambdas.application.snapshot_collection import read_workload
from lambdas.application.workflow_steps import checkpoint_text
from lambdas.contract import metrics
from lambdas.contract.events import OwnEvent
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.assessment.summary_builder import summarize
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import RemediatorError, TransientError
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.planning.actions import ReplaceStalePods, RestartWorkload
from lambdas.domain.planning.planned_binding import PlannedBinding
from lambdas.domain.requests.request import CheckRequest, Trigger, actor_of, refusals_of
from lambdas.domain.snapshot.node_reachability import lost_nodes, reachable_desired_count
from lambdas.domain.snapshot.snapshot import PodFacts, WorkloadFacts
from lambdas.domain.verification import VerificationState, missing_parts, progress, remaining_time, verify
from lambdas.notifications import published_events
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import MessageContext
from lambdas.notifications.messages import message

HEALTHY_OUTCOMES: Final = (Outcome.VERIFIED, Outcome.RECOVERED)
MAX_SAMPLES: Final = 24
"""Changes of the counts that one verification keeps: half a kilobyte of the state of each poll."""
STEP_TIME: Final = timedelta(seconds=30)
"""How long one step of a rolling replacement or of a verification works.

That is far below the time-out of an invocation, since a crash repeats the step.
"""
FIRST_LOOKS_S: Final = (1, 2, 3, 5, 8)
"""The pauses between the first looks of a verification, all of them in one step: a small cluster needs no more time."""
LARGE_WORKLOAD: Final = 100
"""Pods from which on a rollout is followed by the status of its workload. An assessment reads each pod, of 17 KB."""
ASSESSED_EVERY: Final = timedelta(minutes=1)
"""How often a rollout of a large workload is assessed, since its status does not tell what a role refuses."""
ROLLOUT_PAUSE_S: Final = 2
"""The longest pause within one step between two looks at the status of a workload."""
BATCH_PAUSE_S: Final = 2
"""The pause between two checks of one batch."""
EVENTS: Final[Mapping[NotificationKind, OwnEvent]] = {
    NotificationKind.REPAIRING: OwnEvent.STARTED,
    NotificationKind.VERIFIED: OwnEvent.VERIFIED,
    NotificationKind.NEEDS_ACTION: OwnEvent.NEEDS_ACTION,
    NotificationKind.NOT_APPROVED: OwnEvent.NEEDS_ACTION,
    NotificationKind.BLOCKED: OwnEvent.BLOCKED,
}
"""The event that is published with a notification."""
_TOPICS: Final = "topics"
_BUS: Final = "bus"
"""Channels of the metric of failed notifications."""


@dataclass(kw_only=True)
class RemediationSteps(ActionSteps):
    """The steps of one incident."""

    has_exact_clock: ClassVar[bool] = True
    """Whether the time of a healthy assessment may answer later signals. A fast clock would answer those of a fault that is to come."""

    # --- assess ------------------------------------------------------------------------------------------------------------------

    def assess(self, iteration: int, former: AssessmentResult, unresolved: tuple[int, ...] = ()) -> AssessmentResult:
        """Collect a snapshot, diagnose it and plan. The signals are counted first, so that a later one is not treated as handled.

        `unresolved` are the links that were broken and have not been read as right since.
        """
        try:
            incident = self.incidents.get(self.incident.target)
            if incident is None or not self._is_holder(incident):
                self.log("snapshot", "the incident has another holder", incident=self.incident.id)
                return AssessmentResult(at=self.now(), is_taken_over=True)
            summary = self.summarize(iteration, incident.refusal, (*unresolved, *former.refuted))
        except TransientError as error:
            return replace(former, at=self.now(), error=self.log_error("snapshot", error))
        denials = former.denials + 1 if summary.verdict is Verdict.NO_ACCESS else 0
        refuted = former.refuted_after(summary)
        return AssessmentResult(at=self.now(), summary=summary, signals=incident.signals, denials=denials, refuted=refuted)

    def summarize(self, iteration: int, refusal: Mapping[str, Any] | None = None, unresolved: tuple[int, ...] = ()) -> AssessmentSummary:
        """A fresh assessment; `iteration` numbers the plans of this incident, `refusal` is the latest refused call that reached it.

        Raises:
            TransientError: something essential did not answer.
        """
        incident = self.incident
        known_good_at = incident.request.get("knownGoodAt")
        hints = Hints(
            known_good_at=datetime.fromisoformat(str(known_good_at)) if known_good_at else None,
            actor=actor_of(incident.request),
            refusals=refusals_of(incident.request, refusal),
        )
        assessment = assess(
            incident.target,
            self.readers,
            self.policy_sources,
            self.now(),
            hints,
            incident_id=incident.id,
            iteration=iteration,
            unresolved=frozenset(unresolved),
        )
        summary = summarize(assessment.snapshot, assessment.diagnosis, assessment.plan)
        self.log("diagnosis", summary.sentence, incident=incident.id, verdict=summary.verdict, broken=list(summary.verdicts))
        actions, blocked = [action.kind for action in summary.actions], [blocked.reason for blocked in summary.blocked]
        self.log("plan", summary.wait or "planned", incident=incident.id, actions=actions, blocked=blocked)
        return summary

    # --- claim -------------------------------------------------------------------------------------------------------------------

    def claim(self, former: ClaimResult) -> ClaimResult:
        """Whether the incident is ours. If so, no other worker takes it over before `release`."""
        return self._mark_repairing(former, repairing=True)

    def release(self, former: ClaimResult) -> ClaimResult:
        """Allow others to take the incident over."""
        return self._mark_repairing(former, repairing=False)

    def _mark_repairing(self, former: ClaimResult, *, repairing: bool) -> ClaimResult:
        try:
            is_ours = self.retry(lambda: self.incidents.mark_repairing(self.incident, repairing))
        except RemediatorError as error:
            return replace(former, at=self.now(), error=self.log_error("actions", error))
        return ClaimResult(at=self.now(), is_ours=is_ours)

    # --- replace pods ------------------------------------------------------------------------------------------------------------

    def check_canary(self, canary: Canary, former: CanaryResult) -> CanaryResult:
        """Whether the canary's successor has the role. A successor that the webhook missed is replaced again, a bounded number of times."""
        result = former
        for pause_s in SHORT_PAUSES_S:
            result = self._poll_canary(canary, result)
            if result.state is not CanaryState.WAITING or result.uid_without_role:
                break
            self.sleep(pause_s)
        result = replace(result, checks=former.checks + 1)
        if needs_node_check(result) and self._is_canary_lost(canary):
            return replace(result, state=CanaryState.NODE_LOST, message="the node of the replaced pod was lost")
        return result

    def _poll_canary(self, canary: Canary, former: CanaryResult) -> CanaryResult:
        try:
            pods = self.pods(canary.action.node)  # of thousands of pods, only those that can be the successor
        except RemediatorError as error:
            return replace(former, at=self.now(), uid_without_role="", message=str(error)[:MAX_ERROR_LENGTH])
        pod = successor(pods, canary.action)
        result = judge(canary, pod, former, self.now())
        if pod and result.replacements > former.replacements:
            deletion = deletion_of(pod, canary.action)
            return replace(result, message=self.apply(deletion, canary.binding).message)
        return result

    def _is_canary_lost(self, canary: Canary) -> bool:
        try:
            pods = self.pods()
            lost = lost_nodes(pods, self.retry(self.cluster().nodes))
        except RemediatorError as error:
            self.log_error("snapshot", error)
            return False
        pod = successor(pods, canary.action)
        return (pod.node if pod else canary.action.node) in lost

    def replace_stale_pods(self, action: ReplaceStalePods, binding: PlannedBinding, former: ReplacementResult) -> ReplacementResult:
        """Delete batch after batch of stale pods, each once the pods of the batch before are ready and have the role.

        One step replaces as many batches as it can within its time, because each step is a durable operation. Binding and annotation are
        read again before each batch.
        """
        began_at = self.now()
        result = replace(former, began_at=former.began_at or began_at)
        reach = Reach()
        for checks in count():
            try:
                pods = self.pods()
                if checks % LOST_NODE_CHECKS == 0:
                    reach = self._reach(pods, is_idle=result.is_idle)
                batch, following = next_batch(action, pods, reach, result, self.now())
                if batch and (why := self._why_outdated(action, binding)):
                    return replace(result, at=self.now(), state=ReplacementState.OUTDATED, message=why[:MAX_ERROR_LENGTH])
            except RemediatorError as error:
                return replace(result, at=self.now(), message=str(error)[:MAX_ERROR_LENGTH])
            result = following
            for pod in batch:
                deletion = deletion_of(pod, action)
                self._run(deletion, partial(self._delete, deletion))
            if result.state is not ReplacementState.WAITING or self.now() - began_at >= STEP_TIME:
                break
            self.sleep(BATCH_PAUSE_S)
        return replace(result, at=self.now())

    def _reach(self, pods: tuple[PodFacts, ...], *, is_idle: bool) -> Reach:
        """The lost nodes, and how many pods the controller can run; the latter is read only where there was no progress."""
        nodes = self.retry(self.cluster().nodes)
        workload = self.retry(lambda: read_workload(self.cluster(), self.incident.target, lambda: pods)) if is_idle else None
        capacity = reachable_desired_count(workload, pods, nodes) if isinstance(workload, WorkloadFacts) else None
        return Reach(lost_nodes=lost_nodes(pods, nodes), capacity=capacity)

    # --- verify ------------------------------------------------------------------------------------------------------------------

    def verify(self, before: AssessmentSummary, former: VerificationResult) -> VerificationResult:
        """Assess again until the repair is verified or has failed, for at most the time of one step.

        The next look is made when the rest should be done at the present rate of progress.
        """
        began_at, pauses_s = self.now(), iter(() if former.at else FIRST_LOOKS_S)
        while True:
            result = self._look(before, former)
            pause_s = _remaining_s(former, result) or next(pauses_s, None)
            is_concluded = result.state is not VerificationState.WAITING
            if is_concluded or pause_s is None or self.now() - began_at + timedelta(seconds=pause_s) > STEP_TIME:
                return result
            self.sleep(min(pause_s, ROLLOUT_PAUSE_S) if result.rollout else pause_s)
            former = result

    def _look(self, before: AssessmentSummary, former: VerificationResult) -> VerificationResult:
        """Look once: at the status of a large workload while it is rolled out, else with an assessment."""
        missing = self._missing_in_rollout(before, former)
        if not missing:
            return self._assess_repair(before, former)
        at = self.now()
        has_moved = not former.rollout or missing != former.rollout[-1][1]
        return replace(
            former,
            at=at,
            state=VerificationState.WAITING,
            sentence="",
            summary=None,
            began_at=former.began_at or at,
            progress_at=at if has_moved else former.progress_at,
            rollout=(*former.rollout[:1], (at, missing)),
        )

    def _missing_in_rollout(self, before: AssessmentSummary, former: VerificationResult) -> int | None:
        """How many steps a rollout of ours has left, by the status of the workload; None where an assessment is due."""
        restart = next((action for action in before.actions if isinstance(action, RestartWorkload)), None)
        latest_at = former.assessed_at or former.began_at
        is_due = latest_at is not None and self.now() - latest_at >= ASSESSED_EVERY
        if restart is None or is_due or before.counts.pods < LARGE_WORKLOAD:
            return None
        try:
            found = self.cluster().workload(self.incident.target.namespace, restart.workload, restart.name)
        except RemediatorError as error:
            self.log_error("verification", error)
            return None
        return found.missing if isinstance(found, WorkloadFacts) else None

    def _assess_repair(self, before: AssessmentSummary, former: VerificationResult) -> VerificationResult:
        """Assess once, and compare with the assessment that the plan was made from."""
        try:
            incident = self.incidents.get(self.incident.target)
            summary = self.summarize(1, incident.refusal if incident else None)
        except TransientError as error:
            return replace(former, at=self.now(), state=VerificationState.WAITING, sentence=str(error)[:MAX_ERROR_LENGTH])
        at, counts = self.now(), summary.counts
        is_idle = former.counts is not None and progress(counts) == progress(former.counts)
        moved_at = former.progress_at if former.progress_at and is_idle else at
        verification = verify(before, summary, idle=at - moved_at)
        self.log("verification", verification.sentence, incident=self.incident.id, state=verification.state)
        began_at = former.began_at or at
        sample = (counts.pods_right, counts.pods, counts.nodes_ready, counts.nodes)
        is_new = not former.samples or former.samples[-1][1:] != sample
        samples = thin_out((*former.samples, (round((at - began_at).total_seconds()), *sample))) if is_new else former.samples
        return VerificationResult(
            at=at,
            state=verification.state,
            sentence=verification.sentence,
            summary=summary,
            counts=counts,
            progress_at=moved_at,
            began_at=began_at,
            samples=samples,
            assessed_at=at,
            rollout=former.rollout,
            refuted=former.refuted_after(summary),
            signals=incident.signals if incident else 0,
        )

    # --- notify ------------------------------------------------------------------------------------------------------------------

    def notify(self, key: NotificationKey, context: MessageContext) -> NotificationResult:
        """Send a message and publish its event, once for each key, unless the settings ask for more severe incidents only.

        After a take-over, people who were told of the incident are told how it goes on, whatever is left of it.
        """
        severity = max(context.first.severity.rank, context.current.severity.rank, context.severity.rank)
        if severity < context.current.notify_from.rank and not self.incident.was_reported:
            return NotificationResult(at=self.now(), state=DeliveryState.SKIPPED)
        return self._send(str(key), context)

    def request_approval(self, context: MessageContext, callback_id: str) -> NotificationResult:
        """Send an approval request, and remember the callback that answers it on the incident's row."""
        try:
            self.retry(lambda: self.incidents.mark_approval_requested(self.incident, callback_id))
        except RemediatorError as error:
            self.log("report", f"the callback was not stored: {error}", incident=self.incident.id, error=error)
        return self._send(f"ask {callback_id[-24:]}", context, callback_id)

    def clear_approval(self) -> StepResult:
        """Remove the callback from the incident's row: an answer from chat does not do that, and a later one must be refused."""
        try:
            self.retry(lambda: self.incidents.mark_approval_requested(self.incident, None))
        except RemediatorError as error:
            self.log("report", f"the answered callback was not removed: {error}", incident=self.incident.id, error=error)
        return StepResult(at=self.now())

    def _send(self, key: str, context: MessageContext, callback_id: str = "") -> NotificationResult:
        written = message(context, environment=self.environment, callback_id=callback_id)
        deliveries: list[tuple[str, str, Callable[[], None]]] = [(_TOPICS, key, lambda: self.notifier.send(written))]
        if context.kind in EVENTS:
            event = self._event(EVENTS[context.kind], context, written.text)
            deliveries.append((_BUS, f"{key} announced", lambda: self.events.put([event])))
        errors = [error for channel, mark, send in deliveries if (error := self._deliver(channel, mark, send, context.kind))]
        if errors:
            return NotificationResult(at=self.now(), error=errors[0][:MAX_ERROR_LENGTH])
        self.log("report", written.subject, incident=self.incident.id, kind=context.kind)
        return NotificationResult(at=self.now(), state=DeliveryState.SENT)

    def _deliver(self, channel: str, mark: str, send: Callable[[], None], kind: NotificationKind) -> str:
        """Send through one channel, once for each mark, and return the error. A channel that fails neither stops nor repeats another."""
        try:
            if mark not in self.retry(lambda: self.incidents.notified_states(self.incident)):
                self.retry(send)
                self.retry(lambda: self.incidents.mark_notified(self.incident, mark))
        except RemediatorError as error:
            self.metrics(metrics.NOTIFICATION_FAILURES, 1, channel=channel)
            self.log("report", f"not sent: {error}", incident=self.incident.id, kind=kind, error=error)
            return str(error) or type(error).__name__
        return ""

    def _event(self, kind: OwnEvent, context: MessageContext, text: str) -> published_events.PublishedEvent:
        return published_events.remediation(
            kind,
            self.incident.target,
            incident=self.incident.id,
            verdict=context.first.verdict,
            severity=context.severity if context.deleted_pod else context.current.severity,
            summary=text.splitlines()[0],
            opened_at=self.incident.opened_at,
            at=self.now(),
            changes=list(context.change_texts),
            unproven=context.current.unproven,
            next_steps=[line for remedy in context.current.remedies for line in remedy.lines],
            runbook=f"{self.environment.runbook_root}/{context.first.verdict}.md",
        )

    # --- hand over ---------------------------------------------------------------------------------------------------------------

    def hand_over(self, state: CarriedState, former: HandOverResult) -> HandOverResult:
        """Store the state and mark the incident as not started, then request the check that starts the next execution.

        A lost request delays the next execution until the next sweep, which starts every incident that is not started.
        """
        try:
            is_handed_over = self.retry(lambda: self.incidents.hand_over(self.incident, checkpoint_text(state)))
        except RemediatorError as error:
            return replace(former, at=self.now(), error=self.log_error("actions", error))
        if is_handed_over:
            self.log("actions", "handed over to the next execution", incident=self.incident.id, execution=self.incident.execution + 1)
            self._request_start()
        return HandOverResult(at=self.now(), is_handed_over=is_handed_over)

    def _request_start(self) -> None:
        target, following = self.incident.target, f"{self.incident.id}-{self.incident.execution + 1}"
        request = CheckRequest(
            trigger=Trigger.SWEEP,
            occurred_at=self.now(),
            event_id=f"hand-over-{following}",
            cluster=target.cluster,
            service_account=(target.namespace, target.name),
        )
        try:
            self.retry(lambda: self.events.put([published_events.check_requested(request)]))
        except RemediatorError as error:
            self.log_error("actions", error)

    # --- close -------------------------------------------------------------------------------------------------------------------

    def close(self, record: IncidentRecord, former: CloseResult) -> CloseResult:
        """Write history and close the incident, unless a signal came since the last assessment: then assess first."""
        signals = record.signals if former.signals is None else former.signals
        past = past_incident(self.incident, replace(record, signals=signals), self.now())
        assessed_at = datetime.fromisoformat(former.assessed_at or record.current.began_at)
        healthy_since = assessed_at if record.outcome in HEALTHY_OUTCOMES and self.has_exact_clock else None
        try:
            closed = self.retry(lambda: self.incidents.close(past, signals, healthy_since))
        except TransientError as error:
            return replace(former, at=self.now(), error=str(error)[:MAX_ERROR_LENGTH])
        except RemediatorError as error:  # taken over: the new holder closes it
            return CloseResult(at=self.now(), is_closed=True, error=str(error)[:MAX_ERROR_LENGTH])
        if not closed:
            return self._assess_before_closing(record.outcome, former)
        self.metrics(metrics.REPAIRS, 1, outcome=past.outcome)
        self.metrics(metrics.VERDICTS, 1, cluster=past.target.cluster, verdict=past.verdict)
        if past.outcome is Outcome.VERIFIED:
            self.metrics(metrics.TIME_TO_RECOVER, (past.closed_at - past.opened_at).total_seconds())
        return CloseResult(at=self.now(), is_closed=True)

    def _assess_before_closing(self, outcome: Outcome, former: CloseResult) -> CloseResult:
        """A result that keeps the incident open where the new signal is of a new fault, or else lets the next attempt close it."""
        assessment = self.assess(1, AssessmentResult())
        if assessment.summary is None:
            return replace(former, at=assessment.at)
        is_healthy, assessed_at = assessment.summary.is_healthy, assessment.summary.began_at
        is_closed = False if outcome in HEALTHY_OUTCOMES and not is_healthy else None
        return CloseResult(at=self.now(), is_closed=is_closed, assessed_at=assessed_at, is_healthy=is_healthy, signals=assessment.signals)


def _remaining_s(former: VerificationResult, result: VerificationResult) -> int | None:
    """Whole seconds after which the rest should be done, at least 1; None where no progress was found."""
    remaining = None
    if result.rollout and result.at:
        (began_at, before), (at, missing) = result.rollout[0], result.rollout[-1]
        since = result.at - at
        remaining = remaining_time(before, missing, at - began_at)
    elif former.counts and former.assessed_at and result.counts and result.assessed_at:
        since, took = timedelta(), result.assessed_at - former.assessed_at
        remaining = remaining_time(missing_parts(former.counts), missing_parts(result.counts), took)
    return None if remaining is None else max(1, ceil((remaining - since).total_seconds()))


def thin_out(samples: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """The samples; without every other one, except the first and the last, where they are too many."""
    return samples if len(samples) <= MAX_SAMPLES else (*samples[:-1:2], samples[-1])
