"""Incidents to keep, and what happens around them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lambdas.domain.incidents.check_lease import without_lease
from lambdas.domain.incidents.incident import CheckRequirements, IdleState, Incident, NodesSeen, Outcome, PastIncident, Signal

if TYPE_CHECKING:
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.incidents.incident import SignalResult
    from lambdas.domain.ports import IncidentsPort

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FAR = NOW + timedelta(days=1)


def incident(target: ServiceAccountRef, name: str = "a", **changes: Any) -> Incident:
    told = {"id": f"{target.cluster}-{name}", "opened_at": NOW, "signals": 1, "request": {"trigger": "sweep", "nested": [1, {"k": None}]}}
    return Incident(target=target, **{**told, **changes})


def past(of: Incident, **changes: Any) -> PastIncident:
    told: dict[str, Any] = {
        "closed_at": NOW + timedelta(minutes=1),
        "outcome": Outcome.VERIFIED,
        "verdict": "annotation-missing",
        "trigger": "sweep",
        "changes": ("set the annotation", "restart aws-node"),
        "signals": of.signals,
        "binding_path": of.binding_path,
        "binding_version": 3,
        "old_value": "arn:old",
        "details": {"timeline": [["12:00", "found"]]},
    }
    return PastIncident(id=of.id, target=of.target, opened_at=of.opened_at, **{**told, **changes})


def signal(occurred_at: datetime, check: str = "a", *, at: datetime = NOW, **more: Any) -> Signal:
    return Signal(occurred_at=occurred_at, check=check, at=at, **more)


def signalled(incidents: IncidentsPort, target: ServiceAccountRef, occurred_at: datetime, *, about_nodes: bool = False) -> SignalResult:
    """What a signal meets, by itself: whoever was put on duty by it leaves at once."""
    met = incidents.signal(target, signal(occurred_at, requirements=frozenset({CheckRequirements.NODES} if about_nodes else ())))
    if isinstance(met, IdleState):
        incidents.release_check(target, met)
        return without_lease(met)
    return met


def lease_holder(incidents: IncidentsPort, target: ServiceAccountRef, check: str = "a", **more: Any) -> IdleState:
    """The duty of a check whose event nothing has answered."""
    found = incidents.signal(target, signal(FAR, check, **more))
    assert isinstance(found, IdleState)
    return found


def sound(incidents: IncidentsPort, target: ServiceAccountRef, began_at: datetime, nodes: NodesSeen | None = None) -> None:
    """A check began then and found all well."""
    duty = lease_holder(incidents, target)
    assert incidents.finish_check(target, duty, began_at, nodes) is None
