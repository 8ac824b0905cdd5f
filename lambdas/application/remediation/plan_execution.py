"""Carrying out a plan: its actions in order, each seen through where it takes time."""

from functools import partial
from typing import Final

from lambdas.application.remediation.state import Iteration
from lambdas.application.workflow_steps import Json, PollSchedule
from lambdas.domain.assessment.summary import AssessmentSummary
from lambdas.domain.planning.actions import Action, AnnotateServiceAccount, ReplaceCanaryPod, ReplaceStalePods, RestoreAnnotation, to_json

BUSY: Final = PollSchedule(timeout_s=1800, first_s=5, most_s=60)
"""How long something of ours waits for what another does: an update that runs, a table that does not answer."""
CANARY: Final = PollSchedule(timeout_s=120, most_s=10)
WAVE_MOST_S: Final = 3
"""A wave that is back waits no longer than this for the next: patience would grow with each of them, though every one succeeds."""
CONFLICT: Final = "conflict"
"""The world has moved since the look: no trouble, but a reason to look again."""


def carry_out(iteration: Iteration, before: AssessmentSummary) -> str:
    """Do what the look's plan says. Empty where all was done, `CONFLICT`, or what went wrong in words."""
    for i, action in enumerate(before.actions):
        name = f"{iteration.n}.{i + 1} {action.kind}"
        if trouble := _trouble(_act(iteration, name, action)) or _follow(iteration, name, action, before):
            return trouble
        if isinstance(action, AnnotateServiceAccount):
            iteration.story.annotated = action
    return ""


def _act(iteration: Iteration, name: str, action: Action) -> Json:
    kind, plain = action.kind, to_json(action)
    outcome = iteration.steps.until(name, lambda _: iteration.work.act(plain), lambda state: not state.get("busy"), BUSY)
    iteration.story.add(kind, outcome.get("words", ""), outcome)
    if outcome.get("done"):
        iteration.story.changes.append(kind)
    return outcome


def _trouble(outcome: Json) -> str:
    if outcome.get("done"):
        return ""
    return CONFLICT if outcome.get("conflict") else str(outcome.get("words") or "it could not be done")


def _follow(iteration: Iteration, name: str, action: Action, before: AssessmentSummary) -> str:
    """See an action through; what went wrong, in words."""
    if isinstance(action, ReplaceCanaryPod):
        return _follow_canary(iteration, name, action, before)
    if isinstance(action, ReplaceStalePods):
        return _follow_waves(iteration, name, action, before)
    return ""


def _follow_canary(iteration: Iteration, name: str, action: ReplaceCanaryPod, before: AssessmentSummary) -> str:
    canary = {**to_json(action), "before": _health(before)}
    state = iteration.steps.until(f"{name}: successor", partial(iteration.work.canary, canary), _not_waiting, CANARY)
    iteration.story.add("successor", str(state.get("words", "")), state)
    if state["state"] == "unready":
        restore(iteration, name)
    if state["state"] == "lost":
        return CONFLICT
    return "" if state["state"] == "carried" else str(state.get("words") or "the replaced pod did not come back with the role")


def _follow_waves(iteration: Iteration, name: str, action: ReplaceStalePods, before: AssessmentSummary) -> str:
    schedule = PollSchedule(timeout_s=before.timeouts["verification_timeout_s"], most_s=WAVE_MOST_S)
    state = iteration.steps.until(f"{name}: waves", partial(iteration.work.wave, to_json(action)), _not_waiting, schedule)
    iteration.story.add("waves", str(state.get("words", "")), state)
    return "" if state["state"] == "done" else str(state.get("words") or "a wave of pods did not come back")


def _health(look: AssessmentSummary) -> str:
    """`well` where pods worked before we touched them: then a successor has to work too."""
    counts = look.counts
    failing = counts.errors_with_role + counts.errors_without_role + counts.nodes_waiting
    return "well" if counts.pods_ready == counts.pods and not failing else "failing"


def _not_waiting(state: Json) -> bool:
    return state.get("state") != "waiting"


def restore(iteration: Iteration, name: str) -> None:
    """Once: the value from before our annotation, since what followed was worse. What was proven meanwhile stands."""
    ours, iteration.story.annotated = iteration.story.annotated, None
    if ours:
        _act(iteration, f"{name}: restore", RestoreAnnotation(value=ours.old_value, ours=ours.role_arn))
