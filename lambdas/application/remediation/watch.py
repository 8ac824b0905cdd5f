"""Watching what we may not or cannot repair: say so once, then look ever more rarely until something changes."""

from functools import partial
from typing import Final

from lambdas.application.remediation.notify import escalate, tell, tell_unsent
from lambdas.application.remediation.state import Iteration, Story
from lambdas.application.workflow_steps import Json, PollSchedule
from lambdas.domain.assessment.summary import AssessmentSummary, summary_from_json
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.planning.actions import Action
from lambdas.domain.planning.plan import BlockReason
from lambdas.notifications.kind import NotificationKind

WATCH_MOST_S: Final = 900
REMINDERS_S: Final = (3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600)
"""How long to watch before each reminder (seconds); after the last one the incident is closed, and the sweep opens a new one."""
AS_TOLD: Final = frozenset(
    {
        BlockReason.OBSERVE_MODE,
        BlockReason.NO_BINDING,
        BlockReason.ADDON_RECORD_NOTIFY_ONLY,
        BlockReason.CONSEQUENCE,
        BlockReason.GRACE_PERIOD,
    }
)
"""Reasons that hold us back as we were told to; every other one is for a person to remove."""


def watch(iteration: Iteration, now: AssessmentSummary) -> bool:
    """Tell what a person has to do, then look again until something changes. False when it is time to give up."""
    if not iteration.story.gave_up:  # whoever gave up has said so
        _say_why(iteration, now)
    tell_unsent(iteration)
    if now.verdict is Verdict.CLUSTER_GONE:  # nothing fails by it, and the checker remembers that it was told
        return False
    fingerprint = _fingerprint(now)
    for i, seconds in enumerate(REMINDERS_S):
        schedule = PollSchedule(timeout_s=seconds, first_s=5, most_s=WATCH_MOST_S, growth=1.3)
        state = iteration.until(
            f"watch {i + 1}", partial(iteration.work.look, iteration.n), lambda item: _changed(item, fingerprint, iteration.story), schedule
        )
        if not state.get("timed_out"):
            return True
        tell(iteration, f"{NotificationKind.REMINDER} {i + 1}")
    return False


def _say_why(iteration: Iteration, now: AssessmentSummary) -> None:
    """Why nothing is done. A chain that is whole, and yet unproven, is for a person: no further repair of ours ends that."""
    if now.is_healthy:
        escalate(iteration, "the identity is right again, but not every pod runs with it")
    else:
        tell(iteration, NotificationKind.NEEDS_ACTION if needs_a_person(now) else NotificationKind.BLOCKED)


def needs_a_person(now: AssessmentSummary) -> bool:
    """Whether a person has to change something, as against a mode or a rule that holds us back as it was told to.

    Actions that could run and are not run have been tried as often as may be.
    """
    return bool(now.actions) or any(blocked.reason not in AS_TOLD for blocked in now.blocked) or not now.blocked


def _changed(state: Json, fingerprint: list[object], story: Story) -> bool:
    if "taken" in state:
        return True
    snapshot = state.get("look")
    if not snapshot or state.get("unread"):
        return False
    look = summary_from_json(snapshot)
    return story.well(look) or (not story.gave_up and _fingerprint(look) != fingerprint)


def _fingerprint(look: AssessmentSummary) -> list[object]:
    return [list(look.verdicts), kinds(look.actions), sorted({blocked.reason for blocked in look.blocked}), look.binding_version]


def kinds(actions: tuple[Action, ...]) -> list[str]:
    """What a plan does, without the versions that move while time passes."""
    return [action.kind for action in actions]
