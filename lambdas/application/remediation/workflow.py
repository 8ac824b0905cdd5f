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
from lambdas.application.remediation.state import Story, Turn
from lambdas.application.remediation.steps.port import Work
from lambdas.application.remediation.watch import kinds, watch
from lambdas.application.workflow_steps import Json, Patience, Steps
from lambdas.domain.assessment.summary import Look, from_json_look
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.incidents.incident import Incident, Outcome
from lambdas.domain.planning.plan import Reason
from lambdas.domain.verification import ProofState
from lambdas.notifications.kind import Occasion

MOST_REPAIRS: Final = 3
"""Repairs within one incident: one, one more where it succeeded in part, and one for a fault that came back meanwhile."""
MOST_TURNS: Final = 60
"""Turns of one incident; with a few operations each it stays far below the 3,000 that an execution may have."""
UNREACHABLE_LOOKS: Final = 12
"""Looks at a cluster that does not let us in before that counts as its state: an API server restarts within a minute or two."""
LIFTED_BY_TIME: Final = frozenset({Reason.COOLDOWN, Reason.TOO_MANY_REPAIRS, Reason.WINDOW})
REPAIRED_AGAIN: Final = frozenset({ProofState.WAITING, ProofState.LEFT, ProofState.MORE})
"""What another repair may still end. Patience has ended where a proof was waited for to no end."""
AGAIN: Final = 1000
"""Numbers the look after an approval, far from those of the turns."""
READING: Final = Patience(timeout_s=3600, most_s=15)
"""How long to look again where what is essential could not be read. How long to wait for an update is a setting, which is read first."""
CLOSING: Final = Patience(timeout_s=900)


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
        turn = Turn(n, story, steps, work)
        now = _look(turn)
        if now is None:
            continue
        if story.well(now):
            outcome = Outcome.PROVEN if story.changes else Outcome.RECOVERED
            if _close(turn, outcome):
                return outcome
        elif _may_act(story, now):
            if agreed := _approved(turn, now):
                _repair(turn, agreed)
        elif (seconds := _lifts_in(now)) is not None:
            tell(turn, Occasion.WITHHELD)
            steps.pause(f"{n} until it may", seconds)
        elif not watch(turn, now):
            break
    outcome = Outcome.NEEDS_YOU if story.told == Occasion.NEEDS_YOU else Outcome.WITHHELD
    _close(Turn(MOST_TURNS + 1, story, steps, work), outcome)
    return outcome


# --- look --------------------------------------------------------------------------------------------------------------------------------


def _look(turn: Turn) -> Look | None:
    """Look when nothing is in the way: a running update is waited for, so is a cluster that does not answer for a moment."""
    look = partial(turn.work.look, turn.n)
    state = turn.until("look", look, _read, READING)
    if _read(state) and not _settled(state):
        limit = from_json_look(state["look"]).timeouts["update_timeout_s"]
        state = turn.until("look again", look, _settled, Patience(timeout_s=limit, most_s=15))
    if "taken" in state:
        raise _Taken(state["taken"])
    return turn.story.saw(state) if "look" in state else None


def _read(state: Json) -> bool:
    return "taken" in state or ("look" in state and not state.get("unread"))


def _settled(state: Json) -> bool:
    if "taken" in state:
        return True
    if not _read(state):
        return False
    seen = state["look"]
    if seen["verdict"] == Verdict.NO_ACCESS:
        return bool(state.get("looks", 0) >= UNREACHABLE_LOOKS)
    return not seen["wait"]


def _may_act(story: Story, now: Look) -> bool:
    return bool(now.actions) and not story.gave_up and story.repairs < MOST_REPAIRS


def _lifts_in(now: Look) -> int | None:
    """Whole seconds after which everything that is withheld may run, at least 1; None where not time alone decides."""
    times = [it.until for it in now.withheld if it.until and it.reason in LIFTED_BY_TIME]
    if not times:
        return None
    return max(1, ceil((datetime.fromisoformat(max(times)) - datetime.fromisoformat(now.began_at)).total_seconds()))


# --- ask ---------------------------------------------------------------------------------------------------------------------------------


def _approved(turn: Turn, now: Look) -> Look | None:
    """The look whose plan may run: this one, or after a person agreed, a fresh one that comes to the same plan."""
    if not now.needs_approval:
        return now
    story, work = turn.story, turn.work
    answer = turn.steps.ask(f"{turn.n} approval", partial(work.ask, story.about()), now.timeouts["approval_timeout_s"])
    story.add("approval", _answer_words(answer), turn.once("answered", work.answered))
    if not answer.get("approved"):
        story.gave_up = True
        tell(turn, Occasion.NOT_APPROVED, answer=answer)
        return None
    again = _look(replace(turn, n=turn.n * AGAIN))
    return again if again and kinds(again.actions) == kinds(now.actions) else None


def _answer_words(answer: Json) -> str:
    if answer.get("timed_out"):
        return "nobody answered"
    return f"{'approved' if answer.get('approved') else 'rejected'} by {answer.get('by', 'unknown')}"


# --- act, prove --------------------------------------------------------------------------------------------------------------------------


def _repair(turn: Turn, before: Look) -> None:
    """Act in the plan's order, then wait until it is proven. What did not work is told, and the next turn looks again."""
    begun = turn.until("begin", turn.work.begin, _answered, BUSY)
    if not begun.get("ours"):
        return  # the next look tells whose it is
    turn.story.repairs += 1
    turn.story.proven = False
    if turn.story.told != Occasion.ACTING:  # a conflict begins another turn of the same repair, which is no news
        tell(turn, Occasion.ACTING)
    trouble = carry_out(turn, before)
    if not trouble:
        _prove(turn, before)
    elif trouble != CONFLICT:
        escalate(turn, trouble)
    turn.until("rest", turn.work.rest, _answered, BUSY)


def _answered(state: Json) -> bool:
    return "ours" in state


def _prove(turn: Turn, before: Look) -> None:
    """Wait until the repair is seen to work. Worse than before is taken back; in part is repaired again; else a person is needed."""
    story = turn.story
    patience = Patience(timeout_s=before.timeouts["proof_timeout_s"], most_s=20)
    state = turn.until("proof", partial(turn.work.prove, story.look), _judged, patience)
    proof, sentence = state.get("proof", ProofState.WAITING), str(state.get("sentence", ""))
    story.add("proof", sentence, state)
    story.trail += state.get("trail", [])
    if "look" in state:
        story.saw(state)
    if proof == ProofState.PROVEN:
        story.proven, story.annotated = True, None
        tell(turn, Occasion.PROVEN, proof=sentence)
    elif proof == ProofState.WORSE:
        restore(turn, f"{turn.n} proof")
        escalate(turn, sentence)
    elif proof not in REPAIRED_AGAIN or story.repairs >= MOST_REPAIRS:
        escalate(turn, sentence)


def _judged(state: Json) -> bool:
    return state.get("proof") not in (None, ProofState.WAITING)


# --- close -------------------------------------------------------------------------------------------------------------------------------


def _close(turn: Turn, outcome: Outcome) -> bool:
    """Say the last word and close the incident, unless a signal came that no look has seen and the chain is broken again."""
    story = turn.story
    if outcome is Outcome.RECOVERED and story.told:
        tell(turn, Occasion.RECOVERED)
    if outcome is Outcome.PROVEN and not story.proven:
        tell(turn, Occasion.PROVEN)
    tell_unsent(turn)
    state = turn.until("close", partial(turn.work.close, outcome, story.about(told=story.told)), lambda it: "closed" in it, CLOSING)
    return bool(state.get("closed"))
