"""The remediation workflow: assess, repair, verify, notify, and watch until every link of the identity chain holds.

Everything here is deterministic: a durable execution runs it again from the start after each pause, and its steps return their stored
results. `steps` holds what a step does; `repair` applies a plan, `watch` waits for a change, and `notify` sends the notifications.
"""

from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Final

from lambdas.application.remediation.assess import TakenOver, assess, assess_for_message
from lambdas.application.remediation.carried_state import CarriedState
from lambdas.application.remediation.notify import give_up, notify, notify_undelivered
from lambdas.application.remediation.repair import MAX_REPAIRS, repair
from lambdas.application.remediation.results import CloseResult, HandOverResult, RemediationResult, StepResult
from lambdas.application.remediation.state import Iteration, WorkflowState
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.remediation.watch import await_policy, watch
from lambdas.application.workflow_steps import PollSchedule, StepPurpose, Steps
from lambdas.contract.durable_quotas import HAND_OVER_AFTER_S
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.incidents.details import TimelineEvent
from lambdas.domain.incidents.incident import FormerRepair, Incident, Outcome
from lambdas.domain.planning.plan import BlockReason
from lambdas.notifications.kind import NotificationKind
from lambdas.notifications.message_context import ApprovalAnswer

MAX_ITERATIONS: Final = 60
"""Iterations of one incident. Its executions share them: before one nears a quota, it hands the incident to the next."""
HAND_OVER_SCHEDULE: Final = PollSchedule(timeout_s=1800, first_s=5, most_s=60)
"""How long to try to hand over. After that the execution ends, and the next sweep reopens the incident."""
HAND_OVER_AGE: Final = timedelta(seconds=HAND_OVER_AFTER_S)
MAX_APPROVAL_REQUESTS: Final = 3
"""Approval requests of one incident, each of which may wait for a week."""
TEMPORARY_REASONS: Final = frozenset({BlockReason.COOLDOWN, BlockReason.TOO_MANY_REPAIRS, BlockReason.MAINTENANCE_WINDOW})
CLOSE_SCHEDULE: Final = PollSchedule(timeout_s=900)


def remediate(incident: Incident, steps: Steps, work: RemediationSteps, carried: CarriedState | None = None) -> RemediationResult:
    """Repair one ServiceAccount, or say why not, and watch until every link of its identity chain holds.

    With `carried`, continue where the execution before this one has stopped.
    """
    state = WorkflowState.resume(incident, carried) if carried else WorkflowState.begin(incident)
    first = carried.iteration + 1 if carried else 1
    repaired: AssessmentSummary | None = None
    outcome: Outcome | None
    try:
        for number in range(first, MAX_ITERATIONS + 1):
            iteration = Iteration(number, state, steps, work)
            summary, repaired = repaired or _assess_or_hand_over(iteration, first), None
            if summary is None:
                continue
            if state.is_repaired(summary):
                outcome = Outcome.VERIFIED if state.changes else Outcome.RECOVERED
                if _close(iteration, outcome):
                    return _result(state, outcome)
                continue
            _respect_former_repair(iteration)
            if summary.actions and not state.gave_up and state.repairs < MAX_REPAIRS:
                if approved := _approve(iteration, summary):
                    repaired = repair(iteration, approved)
            elif (seconds := _seconds_blocked(summary)) is not None:
                notify(iteration, NotificationKind.BLOCKED)
                await_policy(iteration, summary, seconds)
            elif not watch(iteration, summary):
                break
        outcome = Outcome.NEEDS_ACTION if state.notified is NotificationKind.NEEDS_ACTION else Outcome.BLOCKED
        _close(Iteration(MAX_ITERATIONS + 1, state, steps, work), outcome)
    except TakenOver:
        outcome = None
    return _result(state, outcome)


def _result(state: WorkflowState, outcome: Outcome | None) -> RemediationResult:
    return RemediationResult(incident=state.incident.id, target=state.incident.target.key, outcome=outcome, changes=tuple(state.changes))


def _respect_former_repair(iteration: Iteration) -> None:
    """Leave the incident to a person, where an execution before this one has done so and was stopped. A person may try again."""
    incident = iteration.state.incident
    if incident.former_repair is FormerRepair.FAILED and not incident.is_held_by_person and not iteration.state.gave_up:
        give_up(iteration, "a repair has failed before, by an execution that was stopped since, so none is tried again")


def _assess_or_hand_over(iteration: Iteration, first: int) -> AssessmentSummary | None:
    _hand_over_in_time(iteration, first)
    return assess(iteration)


def _hand_over_in_time(iteration: Iteration, first: int) -> None:
    """Let a fresh execution continue with this iteration, if this one nears a quota. It gets the whole state, so no message repeats.

    A notification that was not delivered is left to it as well: it may be about a fault that has ended since.

    Raises:
        TakenOver: this execution must neither change nor say anything more.
    """
    is_due = iteration.steps.must_hand_over or iteration.state.age >= HAND_OVER_AGE
    if iteration.number == first or not is_due:
        return
    carried, work = iteration.state.carry(iteration.number - 1), iteration.work
    step, handed_over = iteration.step(StepPurpose.HAND_OVER), partial(work.hand_over, carried)
    iteration.steps.until(step, HandOverResult(), handed_over, lambda result: result.is_handed_over is not None, HAND_OVER_SCHEDULE)
    raise TakenOver


# --- blocked ------------------------------------------------------------------------------------------------------------------------------


def _seconds_blocked(summary: AssessmentSummary) -> int | None:
    """Whole seconds, at least 1, after which time has lifted every temporary reason; None where there is no temporary reason."""
    times = [blocked.until for blocked in summary.blocked if blocked.until and blocked.reason in TEMPORARY_REASONS]
    if not times:
        return None
    return max(1, ceil((datetime.fromisoformat(max(times)) - datetime.fromisoformat(summary.began_at)).total_seconds()))


# --- approve -----------------------------------------------------------------------------------------------------------------------------


def _approve(iteration: Iteration, summary: AssessmentSummary) -> AssessmentSummary | None:
    """The assessment whose plan may run: this one, or after a person's approval a new one whose plan has the same digest.

    An answer approves nothing unless it carries the digest of the plan in the request. A request may be days old when it is rejected or
    times out, so the message about it describes a new assessment.
    """
    if not summary.needs_approval:
        return summary
    state, steps, work = iteration.state, iteration.steps, iteration.work
    if state.approval_requests >= MAX_APPROVAL_REQUESTS:
        give_up(iteration, f"the plan changed, or the answer named another plan, after each of {MAX_APPROVAL_REQUESTS} approval requests")
        return None
    state.approval_requests += 1
    context = state.message_context(NotificationKind.APPROVAL_REQUESTED)
    step = iteration.step(StepPurpose.REQUEST_APPROVAL)
    answer = steps.ask(
        step, lambda callback_id: work.request_approval(context, callback_id).is_settled, summary.time_limits.approval_timeout_s
    )
    cleared = steps.once(iteration.step(StepPurpose.CLEAR_APPROVAL), work.clear_approval, StepResult)
    state.answer, state.notified = answer, NotificationKind.APPROVAL_REQUESTED
    state.record(TimelineEvent.APPROVAL, _answer_text(answer, summary.plan_digest), cleared.at)
    if not answer.approved:
        assess_for_message(iteration, "not approved")
        if not (state.current and state.is_repaired(state.current)):
            state.gave_up = True
            notify(iteration, NotificationKind.NOT_APPROVED)
        return None
    if answer.plan != summary.plan_digest:  # the next iteration asks anew
        return None
    again = assess(iteration, "approved")
    return again if again and again.plan_digest == summary.plan_digest else None


def _answer_text(answer: ApprovalAnswer, plan: str) -> str:
    if answer.timed_out:
        return "no answer"
    by = answer.by or "someone in chat"
    if answer.approved and answer.plan != plan:
        return f"the answer by {by} approved {'another plan' if answer.plan else 'no plan'}: it was ignored"
    return f"{'approved' if answer.approved else 'rejected'} by {by}"


# --- close -------------------------------------------------------------------------------------------------------------------------------


def _close(iteration: Iteration, outcome: Outcome) -> bool:
    """Send the last notification and close the incident. False where a signal came since the last assessment and a link is broken again.

    Where a fault was reported after a verified repair, or by an incident that this one was taken over from, its end is reported as well.
    """
    state = iteration.state
    if outcome is Outcome.RECOVERED and (state.notified or state.incident.was_reported):
        notify(iteration, NotificationKind.RECOVERED)
    if outcome is Outcome.VERIFIED and (not state.is_verified or state.is_reported_since_verified):
        notify(iteration, NotificationKind.VERIFIED)
    notify_undelivered(iteration)
    step, record = iteration.step(StepPurpose.CLOSE), state.incident_record(outcome)
    result = iteration.steps.until(step, CloseResult(), partial(iteration.work.close, record), _is_answered, CLOSE_SCHEDULE)
    return result.is_closed is True


def _is_answered(result: CloseResult) -> bool:
    return result.is_closed is not None
