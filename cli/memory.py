"""Incidents where no table is deployed: they live as long as the command."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lambdas.domain import duty
from lambdas.domain.errors import Conflict
from lambdas.domain.incident import Free, Incident, NodesSeen, PastIncident, Signal, Signalled

if TYPE_CHECKING:
    from datetime import datetime

    from lambdas.contract.parameters import ServiceAccountRef


@dataclass
class _Row:
    open: Incident | None = None
    free: Free = field(default_factory=Free)
    told: set[str] = field(default_factory=set)
    past: list[PastIncident] = field(default_factory=list)


class MemoryIncidents:
    """Implements `IncidentsPort` for one process, with the conditions that the table's writes have."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._marks: dict[tuple[str, str], datetime] = {}

    def signal(self, target: ServiceAccountRef, signal: Signal) -> Signalled:
        row = self._row(target)
        if row.open:
            row.open = replace(row.open, signals=row.open.signals + 1)
            return row.open
        row.free, met = duty.signalled(row.free, signal)
        return met

    def finish(self, target: ServiceAccountRef, duty_of: Free, began_at: datetime, nodes: NodesSeen | None = None) -> Free | None:
        row = self._row(target)
        row.free, again = duty.finished(row.free, duty_of, began_at, nodes)
        return again

    def let_go(self, target: ServiceAccountRef, duty_of: Free, forget: datetime | None = None) -> None:
        row = self._row(target)
        row.free = duty.let_go(row.free, duty_of, forget)

    def claim(self, incident: Incident) -> Incident:
        self._mark(incident)
        row = self._row(incident.target)
        if row.open is None:
            row.open, row.told = replace(incident, signals=incident.signals + row.free.signals), set()
            row.free = duty.relieved(row.free)
        elif row.open.id != incident.id:
            row.open = replace(row.open, signals=row.open.signals + incident.signals)
        return row.open

    def take_over(self, ended: Incident, successor: Incident) -> Incident:
        row = self._row(successor.target)
        if row.open is None or row.open.id != ended.id or row.open.acting is not ended.acting:
            return self.claim(successor)
        self._mark(successor)
        row.open, row.told = replace(successor, signals=row.open.signals + successor.signals), set()
        return row.open

    def mark_started(self, incident: Incident, execution_arn: str) -> None:
        if row := self._holding(incident):
            row.open = replace(row.open or incident, started=True, execution_arn=execution_arn)

    def beat(self, incident: Incident, at: datetime) -> bool:
        row = self._holding(incident)
        if row:
            row.open = replace(row.open or incident, beat_at=at)
        return row is not None

    def mark_acting(self, incident: Incident, acting: bool) -> bool:
        row = self._holding(incident)
        if row:
            row.open = replace(row.open or incident, acting=acting)
        return row is not None

    def mark_asked(self, incident: Incident, callback_id: str | None) -> None:
        row = self._holding(incident)
        if row is None:
            raise Conflict(f"incident {incident.id} is no longer open")
        row.open = replace(row.open or incident, callback_id=callback_id)

    def get(self, target: ServiceAccountRef) -> Incident | None:
        return self._row(target).open

    def mark_told(self, incident: Incident, state: str) -> bool:
        row = self._holding(incident)
        if row:
            row.told.add(state)
        return row is not None

    def told(self, incident: Incident) -> frozenset[str]:
        row = self._holding(incident)
        return frozenset(row.told) if row else frozenset()

    def close(self, past: PastIncident, seen_signals: int, sound_since: datetime | None) -> bool:
        row = self._row(past.target)
        if row.open is None or row.open.id != past.id:
            if any(it.id == past.id for it in row.past):
                return True
            raise Conflict(f"incident {past.id} is no longer open")
        if row.open.signals > seen_signals:
            return False
        row.open, row.told = None, set()
        row.free = row.free.closed(past, sound_since)
        row.past.append(past)
        return True

    def history(self, target: ServiceAccountRef, since: datetime) -> tuple[PastIncident, ...]:
        found = [it for it in self._row(target).past if it.closed_at >= since]
        return tuple(sorted(found, key=lambda it: (it.closed_at, it.id), reverse=True))

    def turned_wrong(self, binding_path: str, since: datetime) -> tuple[str, ...]:
        return tuple(sorted(cluster for (path, cluster), at in self._marks.items() if path == binding_path and at >= since))

    def _row(self, target: ServiceAccountRef) -> _Row:
        return self._rows.setdefault(target.key, _Row())

    def _holding(self, incident: Incident) -> _Row | None:
        row = self._row(incident.target)
        return row if row.open and row.open.id == incident.id else None

    def _mark(self, incident: Incident) -> None:
        if incident.binding_path:
            key = (incident.binding_path, incident.target.cluster)
            self._marks[key] = max(incident.opened_at, self._marks.get(key, incident.opened_at))
