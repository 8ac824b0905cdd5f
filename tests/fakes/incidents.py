"""The table of incidents, with its conditions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lambdas.domain import duty
from lambdas.domain.errors import Conflict
from lambdas.domain.incident import Free, Incident, NodesSeen, PastIncident, Signal, Signalled
from tests.world import World

if TYPE_CHECKING:
    from datetime import datetime

    from lambdas.contract.parameters import ServiceAccountRef


@dataclass
class Row:
    """What the table holds of one ServiceAccount."""

    incident: Incident | None = None
    free: Free = field(default_factory=Free)
    told: frozenset[str] = frozenset()
    past: list[PastIncident] = field(default_factory=list)


class FakeIncidents:
    """Incidents and history, with the conditions that the table's writes have."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.rows: dict[str, Row] = {}
        self.marks: dict[tuple[str, str], datetime] = {}

    def signal(self, target: ServiceAccountRef, signal: Signal) -> Signalled:
        self._world.meet("incidents.signal")
        row = self._row(target)
        if row.incident:
            return self._count(row, row.incident)
        row.free, met = duty.signalled(row.free, signal)
        return met

    def finish(self, target: ServiceAccountRef, duty_of: Free, began_at: datetime, nodes: NodesSeen | None = None) -> Free | None:
        self._world.meet("incidents.finish")
        row = self._row(target)
        row.free, again = duty.finished(row.free, duty_of, began_at, nodes)
        return again

    def let_go(self, target: ServiceAccountRef, duty_of: Free, forget: datetime | None = None) -> None:
        self._world.meet("incidents.let_go")
        row = self._row(target)
        row.free = duty.let_go(row.free, duty_of, forget)

    def claim(self, incident: Incident) -> Incident:
        self._world.meet("incidents.claim")
        self._mark(incident)
        row = self._row(incident.target)
        opened = self._join(row, incident) if row.incident else self._open(row, incident)
        self._world.meet("incidents.claim", after=True)
        return opened

    def take_over(self, ended: Incident, successor: Incident) -> Incident:
        self._world.meet("incidents.take_over")
        self._mark(successor)
        row = self._row(successor.target)
        if row.incident is None:
            return self._open(row, successor)
        if row.incident.id == ended.id and row.incident.acting is ended.acting:
            return self._open(row, replace(successor, signals=row.incident.signals + successor.signals))
        return self._join(row, successor)

    def mark_started(self, incident: Incident, execution_arn: str) -> None:
        self._world.meet("incidents.mark_started")
        row = self._row(incident.target)
        if row.incident and row.incident.id == incident.id:
            row.incident = replace(row.incident, started=True, execution_arn=execution_arn)

    def beat(self, incident: Incident, at: datetime) -> bool:
        self._world.meet("incidents.beat")
        row = self._row(incident.target)
        if row.incident is None or row.incident.id != incident.id:
            return False
        row.incident = replace(row.incident, beat_at=at)
        return True

    def mark_acting(self, incident: Incident, acting: bool) -> bool:
        self._world.meet("incidents.mark_acting")
        row = self._row(incident.target)
        if row.incident is None or row.incident.id != incident.id:
            return False
        row.incident = replace(row.incident, acting=acting)
        return True

    def mark_asked(self, incident: Incident, callback_id: str | None) -> None:
        self._world.meet("incidents.mark_asked")
        row = self._row(incident.target)
        if row.incident is None or row.incident.id != incident.id:
            raise Conflict(f"incident {incident.id} is no longer open")
        row.incident = replace(row.incident, callback_id=callback_id)

    def get(self, target: ServiceAccountRef) -> Incident | None:
        self._world.meet("incidents.get")
        return self._row(target).incident

    def mark_told(self, incident: Incident, state: str) -> bool:
        self._world.meet("incidents.mark_told")
        row = self._row(incident.target)
        if row.incident is None or row.incident.id != incident.id:
            return False
        row.told |= {state}
        return True

    def told(self, incident: Incident) -> frozenset[str]:
        self._world.meet("incidents.told")
        row = self._row(incident.target)
        return row.told if row.incident and row.incident.id == incident.id else frozenset()

    def close(self, past: PastIncident, seen_signals: int, sound_since: datetime | None) -> bool:
        self._world.meet("incidents.close")
        row = self._row(past.target)
        if row.incident is None or row.incident.id != past.id:
            if any(it.id == past.id for it in row.past):
                return True
            raise Conflict(f"incident {past.id} is no longer open")
        if row.incident.signals > seen_signals:
            return False
        row.incident, row.told = None, frozenset()
        row.free = row.free.closed(past, sound_since)
        row.past.append(past)
        self._world.meet("incidents.close", after=True)
        return True

    def history(self, target: ServiceAccountRef, since: datetime) -> tuple[PastIncident, ...]:
        self._world.meet("incidents.history")
        found = [it for it in self._row(target).past if it.closed_at >= since]
        return tuple(sorted(found, key=lambda it: (it.closed_at, it.id), reverse=True))

    def turned_wrong(self, binding_path: str, since: datetime) -> tuple[str, ...]:
        self._world.meet("incidents.turned_wrong")
        return tuple(sorted(cluster for (path, cluster), at in self.marks.items() if path == binding_path and at >= since))

    def _row(self, target: ServiceAccountRef) -> Row:
        return self.rows.setdefault(target.key, Row())

    def _open(self, row: Row, incident: Incident) -> Incident:
        row.incident, row.told = replace(incident, signals=incident.signals + row.free.signals), frozenset()
        row.free = duty.relieved(row.free)
        return row.incident

    def _count(self, row: Row, incident: Incident, signals: int = 1) -> Incident:
        row.incident = replace(incident, signals=incident.signals + signals)
        return row.incident

    def _join(self, row: Row, newcomer: Incident) -> Incident:
        if row.incident is None:
            return self._open(row, newcomer)
        return row.incident if row.incident.id == newcomer.id else self._count(row, row.incident, newcomer.signals)

    def _mark(self, incident: Incident) -> None:
        if incident.binding_path:
            key = (incident.binding_path, incident.target.cluster)
            self.marks[key] = max(incident.opened_at, self.marks.get(key, incident.opened_at))
