"""Incidents as the checker has them: opened, joined, started, and taken over from an execution that has ended."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from lambdas.application.check.dependencies import Json, Ports
from lambdas.domain.incidents.incident import Incident, heartbeat_expired
from lambdas.domain.requests.request import CheckRequest, Trigger
from lambdas.domain.snapshot.snapshot import Binding, Snapshot


def open_incident(snapshot: Snapshot, request: CheckRequest, told: Mapping[str, Any], ports: Ports, *, counted: bool) -> Incident:
    """Claim the incident, and start the remediator by its id: whoever comes second joins the first.

    `told` is what it remembers of the request; `counted` whether the row has counted its signal already.
    """
    claimed = ports.incidents.claim(
        Incident(
            id=uuid4().hex[:12],
            target=snapshot.target,
            opened_at=request.occurred_at,
            signals=0 if counted else 1,
            request=told,
            binding_path=snapshot.binding.path if isinstance(snapshot.binding, Binding) else None,
        )
    )
    ports.log("plan", "incident opened", target=snapshot.target.key, incident=claimed.id, signals=claimed.signals)
    if not claimed.started and not claimed.held_by_a_person:
        _start(claimed, ports)
    return claimed


def _start(incident: Incident, ports: Ports) -> None:
    """Idempotent by the incident's id, so a checker that died between claim and start is made good by any later signal."""
    arn = ports.remediator.start(incident)
    ports.incidents.mark_started(incident, arn)
    ports.log("actions", "remediator started", incident=incident.id, target=incident.target.key)


def join(incident: Incident, request: CheckRequest, ports: Ports) -> Json:
    """An open incident has counted the signal. Its execution is started where nobody did, and replaced where it ended without closing."""
    ports.log("observation", "counted on the open incident", incident=incident.id, signals=incident.signals, trigger=request.trigger)
    if not incident.started and not incident.held_by_a_person:
        _start(incident, ports)
    elif request.trigger in (Trigger.SWEEP, Trigger.PERSON) and not _alive(incident, ports):
        return _take_over(incident, ports)
    return {"incident": incident.id, "signals": incident.signals}


def _take_over(ended: Incident, ports: Ports) -> Json:
    successor = Incident(
        id=uuid4().hex[:12],
        target=ended.target,
        opened_at=ended.opened_at,
        signals=0,
        request=ended.request,
        binding_path=ended.binding_path,
    )
    taken = ports.incidents.take_over(ended, successor)
    if not taken.started:
        _start(taken, ports)
    return {"incident": taken.id, "taken_over": ended.id}


def _alive(incident: Incident, ports: Ports) -> bool:
    """Whether whoever works on it still does: a person by their sign of life, the remediator by its execution."""
    if incident.held_by_a_person:
        return not heartbeat_expired(incident, ports.now())
    return bool(incident.execution_arn and ports.remediator.running(incident.execution_arn))
