"""The remediator's workflow, top to bottom: look, act, prove, tell, and stay until the chain is whole.

Everything here is deterministic: a durable execution runs it again from the start after each pause, with the remembered results.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from lambdas.domain.action import Action, AnnotateServiceAccount, DeleteStalePods, ReplaceOnePod, to_json
from lambdas.domain.incident import Incident, Outcome
from lambdas.domain.look import Look, from_json_look
from lambdas.domain.occasion import Occasion
from lambdas.domain.plan import Reason
from lambdas.domain.proof import ProofState, is_proven
from lambdas.remediator.steps import Json, Patience, Steps

MOST_REPAIRS: Final = 3
"""Repairs within one incident: one, one more where it succeeded in part, and one for a fault that came back meanwhile."""
MOST_ROUNDS: Final = 60
"""Rounds of one incident; with a few operations each it stays far below the 3,000 that an execution may have."""
LIFTED_BY_TIME: Final = frozenset({Reason.COOLDOWN, Reason.TOO_MANY_REPAIRS, Reason.WINDOW})

CANARY: Final = Patience(timeout_s=120, most_s=10)
WAVE_MOST_S: Final = 3
"""A wave that is back waits no longer than this for the next: patience would grow with each of them, though every one succeeds."""
BUSY: Final = Patience(timeout_s=1800, first_s=5, most_s=60)
CLOSING: Final = Patience(timeout_s=900)
WATCH_MOST_S: Final = 900
REMINDERS_S: Final = (3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600)
"""How long to watch before each reminder (seconds); after the last one the incident is closed, and the sweep opens a new one."""


class Work(Protocol):
    """The bodies of the steps. None of them raises for what may succeed later; each may be run twice with the effect of once."""

    def look(self, turn: int, former: Json) -> Json:
        """`{"look": ..., "signals": n, "at": iso}`, `{"unread": why}` beside the former state where nothing could be read, or
        `{"taken": why}` where another holds the incident now.
        """
        ...

    def begin(self, former: Json) -> Json:
        """`{"ours": bool}`: whether we may change something now; nobody takes the incident over until `rest`."""
        ...

    def rest(self, former: Json) -> Json:
        """`{"ours": bool}`: nothing of ours is under way any more."""
        ...

    def act(self, action: Json) -> Json:
        """`{"done": bool, "conflict": bool, "busy": bool, "words": ..., "at": iso}`."""
        ...

    def canary(self, action: Json, former: Json) -> Json:
        """`{"state": "carried" | "waiting" | "missed" | "unready", ...}`."""
        ...

    def wave(self, action: Json, former: Json) -> Json:
        """`{"state": "done" | "waiting" | "stuck", ...}`: deletes the next wave when the one before has come back."""
        ...

    def prove(self, before: Json, former: Json) -> Json:
        """`{"proof": ProofState, "sentence": ..., "look": ...}`."""
        ...

    def restore(self, action: Json) -> Json:
        """Put back what stood there before our annotation: an outcome as of `act`."""
        ...

    def tell(self, occasion: str, about: Json) -> Json:
        """Send the message of this occasion once."""
        ...

    def ask(self, about: Json, callback_id: str) -> Json:
        """Send the question, and remember the callback for those who answer."""
        ...

    def answered(self) -> Json:
        """Nobody needs to answer any more."""
        ...

    def close(self, outcome: Outcome, about: Json, former: Json) -> Json:
        """`{"closed": bool, "look": ...}`: looks again first where a signal came since the last look."""
        ...


@dataclass
class Story:
    """What has happened in this incident so far: rebuilt identically by every replay."""

    incident: Incident
    lines: list[Json] = field(default_factory=list)
    trail: list[list[object]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    repairs: int = 0
    gave_up: bool = False
    proven: bool = False
    told: str = ""
    look: Json = field(default_factory=dict)
    first: Json = field(default_factory=dict)
    signals: int = 0
    unsent: tuple[str, Json] | None = None

    def saw(self, state: Json) -> Look:
        """Take a look into the story."""
        self.look = state.get("look") or self.look
        self.first = self.first or self.look
        self.signals = state.get("signals", self.signals)
        now = from_json_look(self.look)
        self.add("look", str(now.verdict), state, now.counts.pods_right, now.counts.pods, now.counts.nodes_ready, now.counts.nodes)
        return now

    def add(self, what: str, words: str, state: Json, *counts: int) -> None:
        """One line of the timeline."""
        self.lines.append({"at": state.get("at", ""), "what": what, "words": words, **({"counts": list(counts)} if counts else {})})

    def about(self, **more: object) -> Json:
        """What a message is written from."""
        told = {"look": self.look, "first": self.first, "lines": self.lines, "trail": self.trail, "changes": self.changes}
        return {**told, "signals": self.signals, **more}


class _Taken(Exception):
    """Another holds the incident: nothing is to be done or said by us any more."""


def remediate(incident: Incident, steps: Steps, work: Work) -> Json:
    """Repair one ServiceAccount, or say why not, and stay until the chain is whole. Returns the outcome for the execution's record."""
    story = Story(incident)
    try:
        return _remediate(story, steps, work)
    except _Taken as taken:
        return {"incident": incident.id, "target": incident.target.key, "outcome": str(taken), "changes": story.changes}


def _remediate(story: Story, steps: Steps, work: Work) -> Json:
    for n in range(1, MOST_ROUNDS + 1):
        now = _look(n, story, steps, work)
        if now is None:
            continue
        if _well(now, story):
            if _close(n, Outcome.PROVEN if story.changes else Outcome.RECOVERED, story, steps, work):
                return _result(story, Outcome.PROVEN if story.changes else Outcome.RECOVERED)
        elif _may_act(now, story):
            if agreed := _approved(n, now, story, steps, work):
                _repair(n, agreed, story, steps, work)
        elif (seconds := _lifts_in(now)) is not None:
            _tell(n, Occasion.WITHHELD, story, steps, work)
            steps.pause(f"{n} until it may", seconds)
        elif not _watch(n, now, story, steps, work):
            break
    outcome = Outcome.NEEDS_YOU if story.told == Occasion.NEEDS_YOU else Outcome.WITHHELD
    _close(MOST_ROUNDS + 1, outcome, story, steps, work)
    return _result(story, outcome)


def _well(now: Look, story: Story) -> bool:
    """Whether the chain is whole and, where we changed something, that was seen to work once since."""
    return now.sound and (not story.changes or story.proven or is_proven(now))


def _look(n: int, story: Story, steps: Steps, work: Work) -> Look | None:
    """Look when nothing is in the way: a running update is waited for, so is a cluster that does not answer for a moment."""
    limit = from_json_look(story.look).timeouts["update_timeout_s"] if story.look else 3600
    state = steps.until(f"{n} look", partial(work.look, n), _settled, Patience(timeout_s=limit, most_s=15))
    if "taken" in state:
        raise _Taken(state["taken"])
    return story.saw(state) if "look" in state else None


UNREACHABLE_LOOKS: Final = 12
"""Looks at a cluster that does not let us in before that counts as its state: an API server restarts within a minute or two."""


def _settled(state: Json) -> bool:
    if "taken" in state:
        return True
    seen = state.get("look")
    if not seen or state.get("unread"):
        return False
    if seen["verdict"] == "no-access":
        return bool(state.get("looks", 0) >= UNREACHABLE_LOOKS)
    return not seen["wait"]


def _may_act(now: Look, story: Story) -> bool:
    return bool(now.actions) and not story.gave_up and story.repairs < MOST_REPAIRS


def _lifts_in(now: Look) -> int | None:
    """Seconds until everything that is withheld may run, where time alone decides."""
    times = [it.until for it in now.withheld if it.until and it.reason in LIFTED_BY_TIME]
    return seconds_between(now.began_at, max(times)) if times else None


def seconds_between(earlier: str, later: str) -> int:
    """Whole seconds between two ISO times, at least 1."""
    return max(1, round((datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()))


def _approved(n: int, now: Look, story: Story, steps: Steps, work: Work) -> Look | None:
    """The look whose plan may run: this one, or after a person agreed, a fresh one that comes to the same plan."""
    if not now.needs_approval:
        return now
    answer = steps.ask(f"{n} approval", partial(work.ask, story.about()), now.timeouts["approval_timeout_s"])
    story.add("approval", _answer_words(answer), steps.once(f"{n} answered", work.answered))
    if not answer.get("approved"):
        story.gave_up = True
        _tell(n, Occasion.NOT_APPROVED, story, steps, work, answer=answer)
        return None
    again = _look(n * AGAIN, story, steps, work)
    return again if again and kinds(again.actions) == kinds(now.actions) else None


AGAIN: Final = 1000
"""Numbers the look after an approval, far from those of the rounds."""


def kinds(actions: tuple[Action, ...]) -> list[str]:
    """What a plan does, without the versions that move while a person thinks."""
    return [type(action).__name__ for action in actions]


def _answer_words(answer: Json) -> str:
    if answer.get("timed_out"):
        return "nobody answered"
    return f"{'approved' if answer.get('approved') else 'rejected'} by {answer.get('by', 'unknown')}"


def _repair(n: int, before: Look, story: Story, steps: Steps, work: Work) -> None:
    """Act in the plan's order, then wait until it is proven. What did not work is told, and the next round looks again."""
    begun = steps.until(f"{n} begin", work.begin, _answered, BUSY)
    if not begun.get("ours"):
        return  # the next look tells whose it is
    story.repairs += 1
    story.proven = False
    if story.told != Occasion.ACTING:  # a conflict begins another round of the same repair, which is no news
        _tell(n, Occasion.ACTING, story, steps, work)
    trouble = _act_all(n, before, story, steps, work)
    if not trouble:
        _prove(n, before, story, steps, work)
    elif trouble != "conflict":
        _escalate(n, trouble, story, steps, work)
    steps.until(f"{n} rest", work.rest, _answered, BUSY)


def _answered(state: Json) -> bool:
    return "ours" in state


def _act_all(n: int, before: Look, story: Story, steps: Steps, work: Work) -> str:
    """Empty where all was done, `conflict` where the world moved, else what went wrong in words."""
    for i, action in enumerate(before.actions):
        name = f"{n}.{i + 1} {type(action).__name__}"
        plain = to_json(action)
        outcome = steps.until(name, lambda _, it=plain: work.act(it), lambda state: not state.get("busy"), BUSY)  # type: ignore[misc]
        story.add(type(action).__name__, outcome.get("words", ""), outcome)
        if not outcome.get("done"):
            return "conflict" if outcome.get("conflict") else str(outcome.get("words") or "it could not be done")
        story.changes.append(type(action).__name__)
        trouble = _follow(name, action, before, story=story, steps=steps, work=work)
        if trouble:
            return trouble
    return ""


def _follow(name: str, action: Action, before: Look, *, story: Story, steps: Steps, work: Work) -> str:
    """See an action through where it takes time; what went wrong, in words."""
    plain = to_json(action)
    if isinstance(action, ReplaceOnePod):
        state = steps.until(f"{name}: successor", partial(work.canary, {**plain, "before": _health(before)}), _not_waiting, CANARY)
        story.add("successor", str(state.get("words", "")), state)
        if state["state"] == "unready":
            _restore(name, before, story, steps, work)
        return "" if state["state"] == "carried" else str(state.get("words") or "the replaced pod did not come back with the role")
    if isinstance(action, DeleteStalePods):
        patience = Patience(timeout_s=before.timeouts["proof_timeout_s"], most_s=WAVE_MOST_S)
        state = steps.until(f"{name}: waves", partial(work.wave, plain), _not_waiting, patience)
        story.add("waves", str(state.get("words", "")), state)
        return "" if state["state"] == "done" else str(state.get("words") or "a wave of pods did not come back")
    return ""


def _health(look: Look) -> str:
    """`well` where pods worked before we touched them: then a successor has to work too."""
    counts = look.counts
    failing = counts.errors_with_role + counts.errors_without_role + counts.nodes_waiting
    return "well" if counts.pods_ready == counts.pods and not failing else "failing"


def _not_waiting(state: Json) -> bool:
    return state.get("state") != "waiting"


def _prove(n: int, before: Look, story: Story, steps: Steps, work: Work) -> None:
    patience = Patience(timeout_s=before.timeouts["proof_timeout_s"], most_s=20)
    state = steps.until(
        f"{n} proof", partial(work.prove, story.look), lambda it: it.get("proof") not in (None, ProofState.WAITING), patience
    )
    proof = state.get("proof", ProofState.WAITING)
    story.add("proof", str(state.get("sentence", "")), state)
    story.trail += state.get("trail", [])
    if "look" in state:
        story.saw(state)
    if proof == ProofState.PROVEN:
        story.proven = True
        _tell(n, Occasion.PROVEN, story, steps, work, proof=state.get("sentence", ""))
    elif proof == ProofState.WORSE:
        _restore(f"{n} proof", before, story, steps, work)
        _escalate(n, str(state.get("sentence")), story, steps, work)
    elif proof != ProofState.WAITING or story.repairs >= MOST_REPAIRS:
        _escalate(n, str(state.get("sentence")), story, steps, work)


def _restore(name: str, before: Look, story: Story, steps: Steps, work: Work) -> None:
    """Once: the value from before our annotation, since what followed was worse."""
    annotate = next((to_json(action) for action in before.actions if isinstance(action, AnnotateServiceAccount)), None)
    if annotate is None:
        return
    outcome = steps.once(f"{name}: restore", lambda: work.restore(annotate))
    story.changes.append("RestoreAnnotation")
    story.add("RestoreAnnotation", str(outcome.get("words", "")), outcome)


def _escalate(n: int, trouble: str, story: Story, steps: Steps, work: Work) -> None:
    """Our repair did not work: from here on a person decides, and we only watch."""
    story.gave_up = True
    _tell(n, Occasion.NEEDS_YOU, story, steps, work, trouble=trouble)


def _watch(n: int, now: Look, story: Story, steps: Steps, work: Work) -> bool:
    """Tell what a person has to do, then look again, ever more rarely, until something changes. False when it is time to give up."""
    if not story.gave_up:  # whoever gave up has said so
        _say_why(n, now, story, steps, work)
    fingerprint = _fingerprint(now)
    for i, seconds in enumerate(REMINDERS_S):
        patience = Patience(timeout_s=seconds, first_s=5, most_s=WATCH_MOST_S, growth=1.3)
        state = steps.until(f"{n} watch {i + 1}", partial(work.look, n), lambda it: _changed(it, fingerprint, story), patience)
        if not state.get("timed_out"):
            return True
        _tell(n, f"{Occasion.REMINDER} {i + 1}", story, steps, work)
    return False


def _say_why(n: int, now: Look, story: Story, steps: Steps, work: Work) -> None:
    """Why nothing is done. A chain that is whole, and yet unproven, is for a person: no further repair of ours ends that."""
    if now.sound:
        _escalate(n, "the identity is right again, but not every pod runs with it", story, steps, work)
    else:
        _tell(n, Occasion.NEEDS_YOU if needs_a_person(now) else Occasion.WITHHELD, story, steps, work)


def _changed(state: Json, fingerprint: list[object], story: Story) -> bool:
    if "taken" in state:
        return True
    seen = state.get("look")
    if not seen or state.get("unread"):
        return False
    look = from_json_look(seen)
    return _well(look, story) or (not story.gave_up and _fingerprint(look) != fingerprint)


def _fingerprint(look: Look) -> list[object]:
    return [list(look.verdicts), kinds(look.actions), sorted({it.reason for it in look.withheld}), look.binding_version]


def needs_a_person(now: Look) -> bool:
    """Whether a person has to change something, as against a mode or a rule that holds us back as it was told to.

    Actions that could run and are not run have been tried as often as may be.
    """
    ours = {Reason.OBSERVE_MODE, Reason.NO_BINDING, Reason.ADDON_RECORD_TELL, Reason.CONSEQUENCE, Reason.TOO_YOUNG}
    return bool(now.actions) or any(it.reason not in ours for it in now.withheld) or not now.withheld


def _tell(n: int, occasion: str, story: Story, steps: Steps, work: Work, **more: object) -> None:
    key, about = f"{n} {occasion}", story.about(occasion=str(occasion).split()[0], **more)
    told = steps.once(f"{n} tell {occasion}", lambda: work.tell(key, about))
    story.unsent = (key, about) if told.get("failed") else None
    if (told.get("sent") or told.get("failed")) and not occasion.startswith(Occasion.REMINDER):
        story.told = str(occasion)


def _close(n: int, outcome: Outcome, story: Story, steps: Steps, work: Work) -> bool:
    """Close the incident, unless a signal came that no look has seen and the chain is broken again."""
    if outcome is Outcome.RECOVERED and story.told:
        _tell(n, Occasion.RECOVERED, story, steps, work)
    if outcome is Outcome.PROVEN and not story.proven:
        _tell(n, Occasion.PROVEN, story, steps, work)
    if story.unsent:
        steps.until(f"{n} tell again", lambda _, it=story.unsent: work.tell(*it), lambda it: not it.get("failed"), BUSY)  # type: ignore[misc]
    state = steps.until(f"{n} close", partial(work.close, outcome, story.about(told=story.told)), lambda it: "closed" in it, CLOSING)
    return bool(state.get("closed"))


def _result(story: Story, outcome: Outcome) -> Json:
    return {"incident": story.incident.id, "target": story.incident.target.key, "outcome": outcome, "changes": story.changes}
