"""Builders of incidents, history and signals for the tests of the incidents port."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lambdas.domain.incidents.check_lease import without_lease
from lambdas.domain.incidents.details import IncidentDetails, TimelineEntry
from lambdas.domain.incidents.incident import CheckRequirement, IdleState, Incident, NodesState, Outcome, PastIncident, Signal

if TYPE_CHECKING:
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.incidents.incident import SignalResult
    from lambdas.domain.ports import IncidentsPort

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FAR = NOW + timedelta(days=1)


def incident(target: ServiceAccountRef, name: str = "a", **changes: Any) -> Incident:
    fields = {"id": f"{target.cluster}-{name}", "opened_at": NOW, "signals": 1, "request": {"trigger": "sweep", "nested": [1, {"k": None}]}}
    return Incident(target=target, **{**fields, **changes})


def past(of: Incident, **changes: Any) -> PastIncident:
    fields: dict[str, Any] = {
        "closed_at": NOW + timedelta(minutes=1),
        "outcome": Outcome.VERIFIED,
        "verdict": "annotation-missing",
        "trigger": "sweep",
        "changes": ("set the annotation", "restart aws-node"),
        "signals": of.signals,
        "binding_path": of.binding_path,
        "binding_version": 3,
        "old_value": "arn:old",
        "details": IncidentDetails(sentence="found", timeline=(TimelineEntry(at=NOW, event="assessment", text="found"),)),
    }
    return PastIncident(id=of.id, target=of.target, opened_at=of.opened_at, **{**fields, **changes})


def signal(occurred_at: datetime, check: str = "a", *, at: datetime = NOW, **more: Any) -> Signal:
    return Signal(occurred_at=occurred_at, check=check, at=at, **more)


def signalled(incidents: IncidentsPort, target: ServiceAccountRef, occurred_at: datetime, *, is_about_nodes: bool = False) -> SignalResult:
    """The result of one signal. A lease that it takes is released at once."""
    result = incidents.signal(target, signal(occurred_at, requirements=frozenset({CheckRequirement.NODES} if is_about_nodes else ())))
    if isinstance(result, IdleState):
        incidents.release_check(target, result)
        return without_lease(result)
    return result


def take_lease(incidents: IncidentsPort, target: ServiceAccountRef, check: str = "a", **more: Any) -> IdleState:
    """The state after a check has taken the lease for an unanswered event."""
    found = incidents.signal(target, signal(FAR, check, **more))
    assert isinstance(found, IdleState)
    return found


def record_healthy_check(incidents: IncidentsPort, target: ServiceAccountRef, began_at: datetime, nodes: NodesState | None = None) -> None:
    """Record a check that began then and found no fault."""
    state = take_lease(incidents, target)
    assert incidents.finish_check(target, state, began_at, nodes) is None
