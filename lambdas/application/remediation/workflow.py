"""The remediator's workflow, top to bottom: look, act, prove, tell, and stay until the chain is whole.

Everything here is deterministic: a durable execution runs it again from the start after each pause, with the remembered results.
What a step does inside is in `bodies`; how a plan is carried out, what is watched and what is told has a module each beside this one.
"""

from dataclasses import replace
from datetime import datetime
from functools import partial
from math import ceil
from typing import Final

from lambdas.application.remediation.notify import escalate, tell, tell_unsent
from lambdas.application.remediation.plan_execution import BUSY, CONFLICT, carry_out, restore
from lambdas.application.remediation.state import Iteration, Story
from lambdas.application.remediation.steps.port import Work
from lambdas.application.remediation.watch import kinds, watch
from lambdas.application.workflow_steps import Json, PollSchedule, Steps
from lambdas.domain.assessment.summary import AssessmentSummary, summary_from_json
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.incidents.incident import Incident, Outcome
from lambdas.domain.planning.plan import BlockReason
from lambdas.domain.verification import VerificationState
from lambdas.notifications.kind import NotificationKind

MOST_REPAIRS: Final = 3
"""Repairs within one incident: one, one more where it succeeded in part, and one for a fault that came back meanwhile."""
MOST_TURNS: Final = 60
"""Turns of one incident; with a few operations each it stays far below the 3,000 that an execution may have."""
UNREACHABLE_LOOKS: Final = 12
"""Looks at a cluster that does not let us in before that counts as its state: an API server restarts within a minute or two."""
LIFTED_BY_TIME: Final = frozenset({BlockReason.COOLDOWN, BlockReason.TOO_MANY_REPAIRS, BlockReason.MAINTENANCE_WINDOW})
REPAIRED_AGAIN: Final = frozenset({VerificationState.WAITING, VerificationState.PARTIAL, VerificationState.MORE_STALE_PODS})
"""What another repair may still end. Patience has ended where a proof was waited for to no end."""
AGAIN: Final = 1000
"""Numbers the look after an approval, far from those of the turns."""
READING: Final = PollSchedule(timeout_s=3600, most_s=15)
"""How long to look again where what is essential could not be read. How long to wait for an update is a setting, which is read first."""
CLOSING: Final = PollSchedule(timeout_s=900)


class _Taken(Exception):
    """Another holds the incident: nothing is to be done or said by us any more."""


def remediate(incident: Incident, steps: Steps, work: Work) -> Json:
    """Repair one ServiceAccount, or say why not, and stay until the chain is whole. Returns the outcome for the execution's record."""
    story = Story(incident)
    try:
        outcome = str(_stay(story, steps, work))
    except _Taken as taken:
        outcome = str(taken)
    return {"incident": incident.id, "target": incident.target.key, "outcome": outcome, "changes": story.changes}


def _stay(story: Story, steps: Steps, work: Work) -> Outcome:
    for n in range(1, MOST_TURNS + 1):
        iteration = Iteration(n, story, steps, work)
        now = _look(iteration)
        if now is None:
            continue
        if story.well(now):
            outcome = Outcome.VERIFIED if story.changes else Outcome.RECOVERED
            if _close(iteration, outcome):
                return outcome
        elif _may_act(story, now):
            if agreed := _approved(iteration, now):
                _repair(iteration, agreed)
        elif (seconds := _lifts_in(now)) is not None:
            tell(iteration, NotificationKind.BLOCKED)
            steps.pause(f"{n} until it may", seconds)
        elif not watch(iteration, now):
            break
    outcome = Outcome.NEEDS_ACTION if story.told == NotificationKind.NEEDS_ACTION else Outcome.BLOCKED
    _close(Iteration(MOST_TURNS + 1, story, steps, work), outcome)
    return outcome


# --- look --------------------------------------------------------------------------------------------------------------------------------


def _look(iteration: Iteration) -> AssessmentSummary | None:
    """Look when nothing is in the way: a running update is waited for, so is a cluster that does not answer for a moment."""
    look = partial(iteration.work.look, iteration.n)
    state = iteration.until("look", look, _read, READING)
    if _read(state) and not _settled(state):
        limit = summary_from_json(state["look"]).timeouts["update_timeout_s"]
        state = iteration.until("look again", look, _settled, PollSchedule(timeout_s=limit, most_s=15))
    if "taken" in state:
        raise _Taken(state["taken"])
    return iteration.story.saw(state) if "look" in state else None


def _read(state: Json) -> bool:
    return "taken" in state or ("look" in state and not state.get("unread"))


def _settled(state: Json) -> bool:
    if "taken" in state:
        return True
    if not _read(state):
        return False
    snapshot = state["look"]
    if snapshot["verdict"] == Verdict.NO_ACCESS:
        return bool(state.get("looks", 0) >= UNREACHABLE_LOOKS)
    return not snapshot["wait"]


def _may_act(story: Story, now: AssessmentSummary) -> bool:
    return bool(now.actions) and not story.gave_up and story.repairs < MOST_REPAIRS


def _lifts_in(now: AssessmentSummary) -> int | None:
    """Whole seconds after which everything that is withheld may run, at least 1; None where not time alone decides."""
    times = [blocked.until for blocked in now.blocked if blocked.until and blocked.reason in LIFTED_BY_TIME]
    if not times:
        return None
    return max(1, ceil((datetime.fromisoformat(max(times)) - datetime.fromisoformat(now.began_at)).total_seconds()))


# --- ask ---------------------------------------------------------------------------------------------------------------------------------


def _approved(iteration: Iteration, now: AssessmentSummary) -> AssessmentSummary | None:
    """The look whose plan may run: this one, or after a person agreed, a fresh one that comes to the same plan."""
    if not now.needs_approval:
        return now
    story, work = iteration.story, iteration.work
    answer = iteration.steps.ask(f"{iteration.n} approval", partial(work.ask, story.about()), now.timeouts["approval_timeout_s"])
    story.add("approval", _answer_words(answer), iteration.once("answered", work.answered))
    if not answer.get("approved"):
        story.gave_up = True
        tell(iteration, NotificationKind.NOT_APPROVED, answer=answer)
        return None
    again = _look(replace(iteration, n=iteration.n * AGAIN))
    return again if again and kinds(again.actions) == kinds(now.actions) else None


def _answer_words(answer: Json) -> str:
    if answer.get("timed_out"):
        return "nobody answered"
    return f"{'approved' if answer.get('approved') else 'rejected'} by {answer.get('by', 'unknown')}"


# --- act, prove --------------------------------------------------------------------------------------------------------------------------


def _repair(iteration: Iteration, before: AssessmentSummary) -> None:
    """Act in the plan's order, then wait until it is proven. What did not work is told, and the next turn looks again."""
    begun = iteration.until("begin", iteration.work.begin, _answered, BUSY)
    if not begun.get("ours"):
        return  # the next look tells whose it is
    iteration.story.repairs += 1
    iteration.story.proven = False
    if iteration.story.told != NotificationKind.REPAIRING:  # a conflict begins another turn of the same repair, which is no news
        tell(iteration, NotificationKind.REPAIRING)
    trouble = carry_out(iteration, before)
    if not trouble:
        _prove(iteration, before)
    elif trouble != CONFLICT:
        escalate(iteration, trouble)
    iteration.until("rest", iteration.work.rest, _answered, BUSY)


def _answered(state: Json) -> bool:
    return "ours" in state


def _prove(iteration: Iteration, before: AssessmentSummary) -> None:
    """Wait until the repair is seen to work. Worse than before is taken back; in part is repaired again; else a person is needed."""
    story = iteration.story
    schedule = PollSchedule(timeout_s=before.timeouts["verification_timeout_s"], most_s=20)
    state = iteration.until("proof", partial(iteration.work.verify, story.look), _judged, schedule)
    proof, sentence = state.get("proof", VerificationState.WAITING), str(state.get("sentence", ""))
    story.add("proof", sentence, state)
    story.trail += state.get("trail", [])
    if "look" in state:
        story.saw(state)
    if proof == VerificationState.VERIFIED:
        story.proven, story.annotated = True, None
        tell(iteration, NotificationKind.VERIFIED, proof=sentence)
    elif proof == VerificationState.WORSE:
        restore(iteration, f"{iteration.n} proof")
        escalate(iteration, sentence)
    elif proof not in REPAIRED_AGAIN or story.repairs >= MOST_REPAIRS:
        escalate(iteration, sentence)


def _judged(state: Json) -> bool:
    return state.get("proof") not in (None, VerificationState.WAITING)


# --- close -------------------------------------------------------------------------------------------------------------------------------


def _close(iteration: Iteration, outcome: Outcome) -> bool:
    """Say the last word and close the incident, unless a signal came that no look has seen and the chain is broken again."""
    story = iteration.story
    if outcome is Outcome.RECOVERED and story.told:
        tell(iteration, NotificationKind.RECOVERED)
    if outcome is Outcome.VERIFIED and not story.proven:
        tell(iteration, NotificationKind.VERIFIED)
    tell_unsent(iteration)
    state = iteration.until(
        "close", partial(iteration.work.close, outcome, story.about(told=story.told)), lambda item: "closed" in item, CLOSING
    )
    return bool(state.get("closed"))
