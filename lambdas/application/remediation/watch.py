"""Watching an incident that must not or cannot be repaired: notify once, then assess ever more rarely until something changes."""

from dataclasses import dataclass
from functools import partial
from typing import Final

from lambdas.application.remediation.assess import assess_for_message
from lambdas.application.remediation.notify import give_up, notify, notify_undelivered
from lambdas.application.remediation.results import AssessmentResult, WatchResult
from lambdas.application.remediation.state import Iteration, WorkflowState
from lambdas.application.workflow_steps import PollSchedule, StepId, StepPurpose
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.actions import Action
from lambdas.domain.planning.plan import BlockReason
from lambdas.notifications.kind import NotificationKind

WATCH_MOST_S: Final = 900
ENDS_WITH_MESSAGE: Final = frozenset({Verdict.CLUSTER_GONE, Verdict.ROLE_KEPT})
"""Verdicts under which nothing fails, so that one message is enough. The checker remembers that people were notified."""
REMINDERS_S: Final = (3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600)
"""How long to watch before each reminder (seconds). After the last one the incident is closed, and the next sweep opens a new one."""
CONFIGURED_REASONS: Final = frozenset(
    {
        BlockReason.OBSERVE_MODE,
        BlockReason.NO_BINDING,
        BlockReason.ADDON_RECORD_NOTIFY_ONLY,
        BlockReason.CONSEQUENCE,
        BlockReason.GRACE_PERIOD,
    }
)
"""Reasons that are as configured, or end by themselves. A person has to remove every other one."""


def watch(iteration: Iteration, summary: AssessmentSummary) -> bool:
    """Notify, then assess until something changes. False when the last reminder was sent."""
    is_news = not iteration.state.gave_up and not iteration.state.is_undecided(summary)  # giving up has sent a notification already
    if is_news:
        _notify_reason(iteration, summary)
    notify_undelivered(iteration)
    if summary.verdict in ENDS_WITH_MESSAGE:
        return False
    for number, seconds in enumerate(REMINDERS_S, start=1):
        if _await_change(iteration, iteration.step(StepPurpose.WATCH, str(number)), summary, seconds):
            return True
        assess_for_message(iteration, f"reminder {number}")
        if iteration.state.current and iteration.state.is_repaired(iteration.state.current):
            return True
        notify(iteration, NotificationKind.REMINDER, part=str(number))
        notify_undelivered(iteration, f"reminder {number}")
        iteration.state.undelivered = None  # hours later it would not be true any more, and another reminder follows
    return False


def await_policy(iteration: Iteration, summary: AssessmentSummary, seconds: int) -> None:
    """Assess until the policies that block the repair no longer do, at most for this time: a fault may begin to fail, or end, before."""
    notify_undelivered(iteration)
    _await_change(iteration, iteration.step(StepPurpose.PAUSE), summary, min(seconds, REMINDERS_S[-1]))


def _await_change(iteration: Iteration, step: StepId, summary: AssessmentSummary, seconds: int) -> bool:
    """Assess until something differs from this assessment, at most for this time. Returns whether something did."""
    check = partial(_check, iteration, Fingerprint.of(summary))
    result = iteration.steps.until(step, WatchResult(), check, lambda found: found.is_changed, reminder_schedule(seconds))
    iteration.state.record_reads(result)
    return result.is_changed


def reminder_schedule(seconds: int) -> PollSchedule:
    """How often to assess in a wait of this time."""
    return PollSchedule(timeout_s=seconds, first_s=5, most_s=WATCH_MOST_S, growth=1.3)


def _notify_reason(iteration: Iteration, summary: AssessmentSummary) -> None:
    """Say why nothing is done. A chain that holds, but was not verified, is for a person: no further repair ends that."""
    if summary.is_healthy:
        give_up(iteration, "no link of the identity chain is broken any more, but not every pod runs with the role")
    else:
        notify(iteration, NotificationKind.NEEDS_ACTION if needs_person(summary) else NotificationKind.BLOCKED)


def needs_person(summary: AssessmentSummary) -> bool:
    """Whether a person has to change something. False where a mode or a rule blocks the repair, as it is configured.

    Actions that could run and do not run have been tried as often as is allowed.
    """
    return bool(summary.actions) or any(blocked.reason not in CONFIGURED_REASONS for blocked in summary.blocked) or not summary.blocked


def _check(iteration: Iteration, fingerprint: "Fingerprint", former: WatchResult) -> WatchResult:
    """Assess, and return only whether the watch ends, and what was read as wrong: the next iteration assesses again."""
    result = iteration.assess(AssessmentResult(refuted=former.refuted))
    is_changed = _is_changed(result, fingerprint, iteration.state)
    return WatchResult(at=result.at, error=result.error, is_changed=is_changed, refuted=result.refuted)


def _is_changed(result: AssessmentResult, fingerprint: "Fingerprint", state: WorkflowState) -> bool:
    if result.is_taken_over:
        return True
    if result.summary is None or not result.is_current:
        return False
    if state.is_undecided(result.summary):
        return False
    return state.is_repaired(result.summary) or (not state.gave_up and Fingerprint.of(result.summary) != fingerprint)


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """The part of an assessment whose change ends a watch. Versions and times, which change by themselves, are left out."""

    verdicts: tuple[str, ...]
    kinds: tuple[str, ...]
    reasons: frozenset[str]
    binding_version: int

    @classmethod
    def of(cls, summary: AssessmentSummary) -> "Fingerprint":
        """The fingerprint of an assessment."""
        return cls(
            verdicts=summary.verdicts,
            kinds=kinds(summary.actions),
            reasons=frozenset(blocked.reason for blocked in summary.blocked),
            binding_version=summary.binding_version,
        )


def kinds(actions: tuple[Action, ...]) -> tuple[str, ...]:
    """The kinds of a plan's actions, in order."""
    return tuple(action.kind for action in actions)
