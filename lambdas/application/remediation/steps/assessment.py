"""Looking at the chain, for a plan or for the proof of a repair."""

from datetime import datetime
from typing import Any, Final

from lambdas.application.assessment import assess
from lambdas.application.readers import Hints
from lambdas.application.remediation.steps.step_context import StepContext
from lambdas.application.workflow_steps import Json
from lambdas.domain.assessment.summary import AssessmentSummary, Counts
from lambdas.domain.assessment.summary_builder import look
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.requests.request import actor_of

MOST_TRAIL: Final = 60
"""Changes of the counts that one proof remembers: 3 KB of its checkpoint."""
TAKEN: Final = "the incident was taken over: whoever holds it now goes on"


def look_at(context: StepContext, iteration: int) -> AssessmentSummary:
    """Observe, diagnose and plan. `turn` numbers the plans of this incident."""
    incident = context.incident
    hints = Hints(known_good_at=_known_good_at(incident), actor=actor_of(incident.request))
    made = assess(
        incident.target, context.readers, context.policy_sources, context.now(), hints, incident_id=incident.id, iteration=iteration
    )
    snapshot = look(made.snapshot, made.diagnosis, made.plan)
    actions = [action.kind for action in snapshot.actions]
    context.log("diagnosis", snapshot.sentence, incident=incident.id, verdict=snapshot.verdict, broken=list(snapshot.verdicts))
    held = [blocked.reason for blocked in snapshot.blocked]
    context.log("plan", snapshot.wait or "planned", incident=incident.id, actions=actions, blocked=held)
    return snapshot


def signals(context: StepContext) -> int | None:
    """How many signals came so far; None where the incident is no longer ours, as when a person took over what we only watched."""
    open_now = context.incidents.get(context.incident.target)
    return open_now.signals if open_now and open_now.id == context.incident.id else None


def trail(former: Json, at: str, counts: Counts) -> list[list[Any]]:
    """How a roll-out went, for the chart of a post-mortem: `[time, pods with the role, pods, nodes Ready, nodes]` at each change."""
    now = [counts.pods_right, counts.pods, counts.nodes_ready, counts.nodes]
    so_far: list[list[Any]] = former.get("trail", [])
    return so_far if so_far and so_far[-1][1:] == now else [*so_far, [at, *now]][-MOST_TRAIL:]


def _known_good_at(incident: Incident) -> datetime | None:
    told = incident.request.get("knownGoodAt")
    return datetime.fromisoformat(str(told)) if told else None
