"""One repair: claim the incident, apply the plan's actions in order, and verify the result."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from lambdas.application.remediation.assess import assess_for_message
from lambdas.application.remediation.notify import give_up, notify
from lambdas.application.remediation.results import (
    ActionResult,
    ActionState,
    CanaryResult,
    CanaryState,
    ClaimResult,
    ReplacementResult,
    ReplacementState,
    VerificationResult,
)
from lambdas.application.remediation.state import Iteration
from lambdas.application.remediation.steps.canary import Canary
from lambdas.application.workflow_steps import PollSchedule, StepPurpose
from lambdas.contract.timeouts import CANARY_TIMEOUT_S
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.incidents.details import DeletedPod, TimelineEvent
from lambdas.domain.planning.actions import (
    Action,
    AnnotateServiceAccount,
    ReplaceCanaryPod,
    ReplaceStalePods,
    RestartWorkload,
    RestoreAnnotation,
    UpdateAssociation,
    without_restart,
)
from lambdas.domain.planning.planned_binding import PlannedBinding
from lambdas.domain.verification import VerificationState
from lambdas.notifications.kind import NotificationKind

MAX_REPAIRS: Final = 3
"""Repairs within one incident: the first, one for what it left, and one for a fault that returned in the meantime."""
BUSY_SCHEDULE: Final = PollSchedule(timeout_s=1800, first_s=5, most_s=60)
"""How long a step waits for a busy resource: an add-on update that runs, or a table that does not answer."""
CANARY_SCHEDULE: Final = PollSchedule(timeout_s=CANARY_TIMEOUT_S, most_s=10)
BATCH_MOST_S: Final = 3
"""The pause between two steps of a rolling replacement, at first. Each step replaces as many batches as it can within its time."""
BATCH_SHARE: Final = 0.02
"""The part of the time waited so far that the pause may grow to. It is small, since a pause stops the replacement."""
REPAIRABLE_STATES: Final = frozenset({VerificationState.WAITING, VerificationState.PARTIAL, VerificationState.MORE_STALE_PODS})
"""States that another repair can still end."""


def repair(iteration: Iteration, before: AssessmentSummary) -> AssessmentSummary | None:
    """Apply the plan of this assessment and verify the result. A conflict ends the repair; the next iteration assesses again.

    Returns the assessment that shows that nothing is left to repair, if there is one.
    """
    state, steps, work = iteration.state, iteration.steps, iteration.work
    claim = steps.until(iteration.step(StepPurpose.CLAIM), ClaimResult(), work.claim, _is_answered, BUSY_SCHEDULE)
    if not claim.is_ours:
        return None  # the next assessment shows who holds the incident
    state.repairs += 1
    state.is_verified = False
    if state.notified is not NotificationKind.REPAIRING or state.undelivered:  # after a conflict it begins again, which is no news
        notify(iteration, NotificationKind.REPAIRING)
    failure: ActionResult | None = None
    for position, action in enumerate(before.actions, start=1):
        failure = _act(iteration, action, position, before)
        if failure:
            break
    if failure is None:
        _verify(iteration, before)
    elif failure.state is not ActionState.CONFLICT:
        assess_for_message(iteration, "failed")
        give_up(iteration, failure.message, failure.deleted_pod)
    steps.until(iteration.step(StepPurpose.RELEASE), ClaimResult(), work.release, _is_answered, BUSY_SCHEDULE)
    latest = state.current
    return latest if state.is_verified and latest and state.is_repaired(latest) else None


def _act(iteration: Iteration, action: Action, position: int, before: AssessmentSummary) -> ActionResult | None:
    """Apply one action and wait for its effect. Where a restart is refused, the stale pods are deleted in waves. Returns what failed."""
    step = iteration.step(StepPurpose.APPLY, action.kind, position)
    result = iteration.steps.until(
        step, ActionResult(), partial(iteration.work.apply, action, before.planned_binding), _is_finished, BUSY_SCHEDULE
    )
    iteration.state.record_action(action, result)
    if result.state is ActionState.REJECTED and isinstance(action, RestartWorkload) and (replacement := without_restart(action)):
        return _act(iteration, replacement, position, before)
    if result.state is ActionState.DONE:
        return None if result.is_by_other else _follow_up(iteration, action, position, before)
    return result


def _is_answered(claim: ClaimResult) -> bool:
    return claim.is_ours is not None


def _is_finished(result: ActionResult) -> bool:
    return result.state is not ActionState.BUSY


def _follow_up(iteration: Iteration, action: Action, position: int, before: AssessmentSummary) -> ActionResult | None:
    """Wait for the effect of an action that takes time. Returns what failed, or None."""
    match action:
        case ReplaceCanaryPod():
            return _follow_canary(iteration, _canary(action, before), position, before)
        case ReplaceStalePods():
            return _replace_stale_pods(iteration, action, position, before)
        case AnnotateServiceAccount():
            iteration.state.annotated = action
        case UpdateAssociation():
            iteration.state.associated = action
    return None


def _canary(action: ReplaceCanaryPod, before: AssessmentSummary) -> Canary:
    return Canary(action=action, must_be_ready=before.counts.pods_ready > 0, binding=before.planned_binding)


def _follow_canary(iteration: Iteration, canary: Canary, position: int, before: AssessmentSummary) -> ActionResult | None:
    step = iteration.step(StepPurpose.CHECK_CANARY, position=position)
    result = iteration.steps.until(step, CanaryResult(), partial(iteration.work.check_canary, canary), _is_judged, CANARY_SCHEDULE)
    iteration.state.record(TimelineEvent.CANARY_REPLACEMENT, result.message, result.at)
    match result.state:
        case CanaryState.HAS_ROLE:
            return None
        case CanaryState.NODE_LOST:
            return ActionResult(state=ActionState.CONFLICT, message=result.message)
        case CanaryState.NOT_READY if _all_pods_work(before):
            _restore(iteration, canary.binding)
        case CanaryState.NOT_READY:
            pass  # something failed before, so that the former annotation is no better
        case CanaryState.WAITING:
            minutes = CANARY_SCHEDULE.timeout_s // 60
            result = replace(result, message=f"pod {canary.action.pod} was replaced, and no successor was ready within {minutes} minutes")
        case CanaryState.NO_ROLE:
            pass
    has_successor = result.state is CanaryState.NO_ROLE
    deleted = None if has_successor else DeletedPod(name=canary.action.pod, node=canary.action.node)
    return ActionResult(state=ActionState.FAILED, message=result.message, deleted_pod=deleted)


def _is_judged(result: CanaryResult) -> bool:
    return result.state is not CanaryState.WAITING


def _all_pods_work(before: AssessmentSummary) -> bool:
    counts = before.counts
    return counts.pods_ready == counts.pods and not counts.errors_with_role + counts.errors_without_role + counts.nodes_waiting


def _replace_stale_pods(iteration: Iteration, action: ReplaceStalePods, position: int, before: AssessmentSummary) -> ActionResult | None:
    step, timeout_s = iteration.step(StepPurpose.REPLACE_PODS, position=position), before.time_limits.verification_timeout_s
    check = partial(iteration.work.replace_stale_pods, action, before.planned_binding)
    is_settled = partial(_is_replaced, timeout_s=timeout_s)
    result = iteration.steps.until(step, ReplacementResult(), check, is_settled, replacement_schedule(timeout_s))
    iteration.state.record(TimelineEvent.ROLLING_REPLACEMENT, result.message, result.at)
    match result.state:
        case ReplacementState.DONE:
            return None
        case ReplacementState.OUTDATED:
            return ActionResult(state=ActionState.CONFLICT, message=result.message)
    return ActionResult(state=ActionState.FAILED, message=result.message)


def replacement_schedule(timeout_s: int) -> PollSchedule:
    """How often a rolling replacement runs a step."""
    return PollSchedule(timeout_s=timeout_s, most_s=BATCH_MOST_S, share=BATCH_SHARE)


def verification_schedule(timeout_s: int) -> PollSchedule:
    """How often a verification runs a step until the repair is verified, or has failed. A step makes several looks at first."""
    return PollSchedule(timeout_s=timeout_s, first_s=10, most_s=20)


def _is_replaced(result: ReplacementResult, timeout_s: int) -> bool:
    return result.state is not ReplacementState.WAITING or _is_late(result, timeout_s)


def _is_concluded_or_late(result: VerificationResult, timeout_s: int) -> bool:
    return _is_concluded(result) or _is_late(result, timeout_s)


def _is_late(result: ReplacementResult | VerificationResult, timeout_s: int) -> bool:
    """Whether the time is up. The schedule counts the pauses between the steps only."""
    took = result.at - result.began_at if result.at and result.began_at else timedelta()
    return took >= timedelta(seconds=timeout_s)


def _verify(iteration: Iteration, before: AssessmentSummary) -> None:
    """Wait until the repair is verified. A state that is worse than before is rolled back; a partial success is repaired again."""
    state = iteration.state
    step = iteration.step(StepPurpose.VERIFY)
    schedule = verification_schedule(before.time_limits.verification_timeout_s)
    verify = partial(iteration.work.verify, before)

    def check(former: VerificationResult) -> VerificationResult:
        result = verify(former)
        return result if _is_concluded(result) else replace(result, summary=None, sentence="")

    is_settled = partial(_is_concluded_or_late, timeout_s=schedule.timeout_s)
    result = iteration.steps.until(step, VerificationResult(), check, is_settled, schedule)
    if not _is_concluded(result):  # the time is up, and no poll has stored its assessment
        last = partial(verify, result)
        result = iteration.steps.once(iteration.step(StepPurpose.VERIFY, "after-time-out"), last, VerificationResult)
    state.record(TimelineEvent.VERIFICATION, result.sentence, result.at)
    state.samples += result.count_samples
    state.record_reads(result)
    if result.summary:
        state.signals = result.signals
        state.record_assessment(result.summary, result.at)
    if result.state is VerificationState.VERIFIED:
        state.is_verified, state.annotated, state.associated = True, None, None
        notify(iteration, NotificationKind.VERIFIED, verification=result.sentence)
    elif result.state is VerificationState.WORSE:
        _restore(iteration, before.planned_binding)
        assess_for_message(iteration, "failed")
        give_up(iteration, result.sentence)
    elif result.state not in REPAIRABLE_STATES or state.repairs >= MAX_REPAIRS:
        give_up(iteration, result.sentence)


def _is_concluded(result: VerificationResult) -> bool:
    return result.state is not VerificationState.WAITING


def _restore(iteration: Iteration, before: PlannedBinding) -> None:
    """Restore what our annotation or our change of an association replaced, once. What was verified stays."""
    state, annotated, associated = iteration.state, iteration.state.annotated, iteration.state.associated
    action: Action | None = associated.rollback if associated else None
    if annotated:
        action = RestoreAnnotation(value=annotated.old_value, ours=annotated.role_arn)
    if action:
        state.annotated = state.associated = None
        step = iteration.step(StepPurpose.RESTORE)
        result = iteration.steps.until(step, ActionResult(), partial(iteration.work.apply, action, before), _is_finished, BUSY_SCHEDULE)
        state.record_action(action, result)
