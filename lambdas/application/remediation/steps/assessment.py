"""Looking at the chain, for a plan or for the proof of a repair."""

from datetime import datetime
from typing import Any, Final

from lambdas.application.assessment import check
from lambdas.application.readers import Hints
from lambdas.application.remediation.steps.step_context import Bench
from lambdas.application.workflow_steps import Json
from lambdas.domain.assessment.summary import Counts, Look
from lambdas.domain.assessment.summary_builder import look
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.requests.request import actor_of

MOST_TRAIL: Final = 60
"""Changes of the counts that one proof remembers: 3 KB of its checkpoint."""
TAKEN: Final = "the incident was taken over: whoever holds it now goes on"


def look_at(bench: Bench, turn: int) -> Look:
    """Observe, diagnose and plan. `turn` numbers the plans of this incident."""
    incident = bench.incident
    hints = Hints(known_good_at=_known_good_at(incident), actor=actor_of(incident.request))
    made = check(incident.target, bench.readers, bench.remembering, bench.now(), hints, incident_id=incident.id, turn=turn)
    seen = look(made.observation, made.diagnosis, made.plan)
    actions = [type(action).__name__ for action in seen.actions]
    bench.log("diagnosis", seen.sentence, incident=incident.id, verdict=seen.verdict, broken=list(seen.verdicts))
    held = [it.reason for it in seen.withheld]
    bench.log("plan", seen.wait or "planned", incident=incident.id, actions=actions, withheld=held)
    return seen


def signals(bench: Bench) -> int | None:
    """How many signals came so far; None where the incident is no longer ours, as when a person took over what we only watched."""
    open_now = bench.incidents.get(bench.incident.target)
    return open_now.signals if open_now and open_now.id == bench.incident.id else None


def trail(former: Json, at: str, counts: Counts) -> list[list[Any]]:
    """How a roll-out went, for the chart of a post-mortem: `[time, pods with the role, pods, nodes Ready, nodes]` at each change."""
    now = [counts.pods_right, counts.pods, counts.nodes_ready, counts.nodes]
    so_far: list[list[Any]] = former.get("trail", [])
    return so_far if so_far and so_far[-1][1:] == now else [*so_far, [at, *now]][-MOST_TRAIL:]


def _known_good_at(incident: Incident) -> datetime | None:
    told = incident.request.get("knownGoodAt")
    return datetime.fromisoformat(str(told)) if told else None
