"""Incidents in memory, where no table is deployed. They last as long as the command."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from lambdas.domain.errors import Conflict
from lambdas.domain.incidents import check_lease
from lambdas.domain.incidents.incident import (
    FORGEABLE_INTERVAL,
    KEPT_INTERVAL,
    IdleState,
    Incident,
    NodesState,
    PastIncident,
    Signal,
    SignalResult,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lambdas.contract.parameters import ServiceAccountRef


@dataclass
class Row:
    """State of one ServiceAccount: `notified` lists the notified states of the open incident, `idle` is the state while none is open."""

    incident: Incident | None = None
    idle: IdleState = field(default_factory=IdleState)
    notified: frozenset[str] = frozenset()
    past: list[PastIncident] = field(default_factory=list)
    carried: str = ""


class LocalIncidents:
    """Implements `IncidentsPort` for one process, with the same write conditions as the table."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self._marks: dict[tuple[str, str], datetime] = {}
        self._claimed_at: dict[str, datetime] = {}
        self._kept_notices: dict[ServiceAccountRef, tuple[datetime, str]] = {}
        self.deliveries: dict[str, datetime] = {}

    def signal(self, target: ServiceAccountRef, signal: Signal) -> SignalResult:
        row = self._row(target)
        if row.incident:
            return self._count(row, replace(row.incident, refusal=signal.refusal or row.incident.refusal), 1)
        row.idle, met = check_lease.record_signal(row.idle, signal)
        return met

    def states(self, targets: Sequence[ServiceAccountRef]) -> dict[ServiceAccountRef, Incident | IdleState]:
        found = {target: self._row(target) for target in targets}
        return {target: row.incident or row.idle for target, row in found.items()}

    def finish_check(
        self, target: ServiceAccountRef, state: IdleState, began_at: datetime, nodes: NodesState | None = None
    ) -> IdleState | None:
        row = self._row(target)
        row.idle, again = check_lease.finish_check(row.idle, state, began_at, nodes)
        return again

    def release_check(self, target: ServiceAccountRef, state: IdleState, forget: datetime | None = None) -> None:
        row = self._row(target)
        row.idle = check_lease.release_check(row.idle, state, forget)

    def record_delivery(self, nonce: str, at: datetime) -> None:
        self.deliveries[nonce] = at

    def claim_minute(self, cluster: str, at: datetime) -> bool:
        former = self._claimed_at.get(cluster)
        if former and abs(at - former) < FORGEABLE_INTERVAL:
            return False
        self._claimed_at[cluster] = at
        return True

    def claim_kept_notice(self, target: ServiceAccountRef, event: str, at: datetime) -> bool:
        former = self._kept_notices.get(target)
        if former and event != former[1] and abs(at - former[0]) < KEPT_INTERVAL:
            return False
        self._kept_notices[target] = (at, event)
        return True

    def claim(self, incident: Incident) -> Incident:
        self._mark(incident)
        return self._join(self._row(incident.target), incident)

    def take_over(self, ended: Incident, successor: Incident) -> Incident:
        self._mark(successor)
        row = self._row(successor.target)
        if row.incident is None or not self._is_execution(ended) or row.incident.repairing is not ended.repairing:
            return self._join(row, successor)
        return self._open(row, replace(successor, signals=row.incident.signals + successor.signals, refusal=row.incident.refusal))

    def mark_started(self, incident: Incident, execution_arn: str) -> None:
        if self._is_execution(incident):
            self._change(incident, started=True, execution_arn=execution_arn)

    def hand_over(self, incident: Incident, state: str) -> bool:
        following = incident.execution + 1
        if self._is_execution(incident):
            self._row(incident.target).carried = state
            return self._change(incident, started=False, execution_arn=None, execution=following)
        return self._is_execution(replace(incident, execution=following))

    def carried_state(self, incident: Incident) -> str:
        row = self._holding(incident)
        return row.carried if row else ""

    def renew_heartbeat(self, incident: Incident, at: datetime) -> bool:
        return self._change(incident, heartbeat_at=at)

    def mark_repairing(self, incident: Incident, repairing: bool) -> bool:
        begun = {"has_begun_repair": True} if repairing else {}
        return self._is_execution(incident) and self._change(incident, repairing=repairing, **begun)

    def mark_approval_requested(self, incident: Incident, callback_id: str | None) -> None:
        if not self._change(incident, callback_id=callback_id):
            raise Conflict(f"incident {incident.id} is no longer open")

    def get(self, target: ServiceAccountRef) -> Incident | None:
        return self._row(target).incident

    def mark_notified(self, incident: Incident, state: str) -> bool:
        row = self._holding(incident)
        if row:
            row.notified |= {state}
        return row is not None

    def notified_states(self, incident: Incident) -> frozenset[str]:
        row = self._holding(incident)
        return row.notified if row else frozenset()

    def close(self, past: PastIncident, seen_signals: int, healthy_since: datetime | None) -> bool:
        row = self._row(past.target)
        if row.incident is None or row.incident.id != past.id:
            if any(item.id == past.id for item in row.past):
                return True
            raise Conflict(f"incident {past.id} is no longer open")
        if row.incident.signals > seen_signals:
            return False
        row.incident, row.notified = None, frozenset()
        row.idle = row.idle.closed(past, healthy_since)
        row.past.append(past)
        return True

    def history(self, target: ServiceAccountRef, since: datetime) -> tuple[PastIncident, ...]:
        found = [item for item in self._row(target).past if item.closed_at >= since]
        return tuple(sorted(found, key=lambda item: (item.closed_at, item.id), reverse=True))

    def affected_clusters(self, binding_path: str, since: datetime) -> tuple[str, ...]:
        return tuple(sorted(cluster for (path, cluster), at in self._marks.items() if path == binding_path and at >= since))

    def _row(self, target: ServiceAccountRef) -> Row:
        return self.rows.setdefault(target.key, Row())

    def _holding(self, incident: Incident) -> Row | None:
        """Return the row if this incident is the open one."""
        row = self._row(incident.target)
        return row if row.incident and row.incident.id == incident.id else None

    def _is_execution(self, incident: Incident) -> bool:
        """Return whether this incident is the open one, and this execution works on it."""
        row = self._holding(incident)
        return bool(row and row.incident and row.incident.execution == incident.execution)

    def _change(self, incident: Incident, **fields: Any) -> bool:
        """Change fields of the incident if it is the open one, and return whether it is."""
        row = self._holding(incident)
        if row and row.incident:
            row.incident = replace(row.incident, **fields)
        return row is not None

    def _join(self, row: Row, newcomer: Incident) -> Incident:
        """Open the incident, or add its signals to the open one. Opening the same incident twice adds nothing."""
        if row.incident is None:
            return self._open(row, newcomer)
        return row.incident if row.incident.id == newcomer.id else self._count(row, row.incident, newcomer.signals)

    def _open(self, row: Row, incident: Incident) -> Incident:
        refusal = incident.refusal or row.idle.refusal
        row.incident, row.notified = replace(incident, signals=incident.signals + row.idle.signals, refusal=refusal), frozenset()
        row.idle, row.carried = check_lease.without_lease(row.idle), ""
        return row.incident

    def _count(self, row: Row, incident: Incident, signals: int) -> Incident:
        row.incident = replace(incident, signals=incident.signals + signals)
        return row.incident

    def _mark(self, incident: Incident) -> None:
        if incident.binding_path:
            key = (incident.binding_path, incident.target.cluster)
            self._marks[key] = max(incident.opened_at, self._marks.get(key, incident.opened_at))
