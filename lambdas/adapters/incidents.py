"""Incidents and history in DynamoDB; every write is conditional, so that several callers cannot undo each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters import check_lease_items
from lambdas.adapters import incident_items as items
from lambdas.adapters.dynamodb_table import Row, Table
from lambdas.contract.incidents import EXPIRES_AT, PARTITION_KEY, SORT_KEY
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import Conflict, TransientError
from lambdas.domain.incidents.check_lease import answer_to_quiet_signal, gone, signal_result, well
from lambdas.domain.incidents.incident import AlreadyAnswered, IdleState, Incident, NodesSeen, PastIncident, Signal, SignalResult, answered

if TYPE_CHECKING:
    from datetime import datetime

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.contract.parameters import ServiceAccountRef

_TRIES: Final = 8
"""A claim is lost only to writes of the same row within milliseconds; eight in a row means that something else is wrong."""


class Incidents:
    """Implements `IncidentsPort`."""

    def __init__(self, session: AwsSession, table: str) -> None:
        self._table = Table(session, table)

    def signal(self, target: ServiceAccountRef, signal: Signal) -> SignalResult:
        """One conditional write, which counts or, refused, brings the row that has the answer.

        For a quiet signal that nothing is to be counted for: one read, for a fifth of the price.
        """
        if signal.quiet:
            row = self._table.get(f"signal {target.key}", items.now_key(target))
            if items.incident_id(row) is None and (found := answer_to_quiet_signal(items.free(row), signal)):
                return found
        row, counted = self._table.update(f"signal {target.key}", items.now_key(target), *check_lease_items.signalling(signal))
        free = items.free(row)
        if not counted:  # refused, so there is an answer; the time is for the log
            return answered(free, signal) or AlreadyAnswered(signal.at)
        if items.incident_id(row):
            return items.incident(target, row)
        return self._relieve(target, signal, free) if gone(free, signal.at) else signal_result(free, signal)

    def _relieve(self, target: ServiceAccountRef, signal: Signal, former: IdleState) -> SignalResult:
        """Go on duty in the place of a check that is gone, unless somebody was quicker."""
        row, without_lease = self._table.update(
            f"relieve the check of {target.key}", items.now_key(target), *check_lease_items.relieving(signal, former)
        )
        if items.incident_id(row):
            return items.incident(target, row)
        free = items.free(row)
        return signal_result(free, signal) if without_lease or free.lease_holder else self.signal(target, signal)

    def finish_check(
        self, target: ServiceAccountRef, duty: IdleState, began_at: datetime, nodes: NodesSeen | None = None
    ) -> IdleState | None:
        """One write. Its condition holds as long as nobody but this check has changed what it knew of the row."""
        attempt = f"remember that {target.key} is well"
        row, written = self._table.update(attempt, items.now_key(target), *check_lease_items.finishing(duty, well(duty, began_at, nodes)))
        free = items.free(row)
        return free if not written and duty.lease_holder and free.lease_holder == duty.lease_holder else None

    def release_check(self, target: ServiceAccountRef, duty: IdleState, forget: datetime | None = None) -> None:
        """A row to be forgotten is left to expire, so that the checker needs no grant to delete."""
        self._table.update(f"leave the check of {target.key}", items.now_key(target), *check_lease_items.letting_go(duty, forget))

    def claim(self, incident: Incident) -> Incident:
        """The binding is marked first: a mark too many is harmless, one too few would blind the breaker."""
        self._mark(incident)
        for _ in range(_TRIES):
            row, opened = self._open(incident, "attribute_not_exists(incident_id)")
            if opened or items.incident_id(row) == incident.id:  # ours already: the answer to an earlier try was lost
                return items.incident(incident.target, row)
            row, counted = self._count(incident)
            if counted:
                return items.incident(incident.target, row)
        raise TransientError(f"claim {incident.target.key}: lost to other writers {_TRIES} times")

    def take_over(self, ended: Incident, successor: Incident) -> Incident:
        """The count of signals goes on from the ended incident's."""
        self._mark(successor)
        as_seen = f"incident_id = :ended AND {'attribute_exists' if ended.repairing else 'attribute_not_exists'}(repairing)"
        row, taken = self._open(successor, as_seen, {":ended": {"S": ended.id}})
        if taken or items.incident_id(row) == successor.id:
            return items.incident(successor.target, row)
        return self.claim(successor)

    def mark_started(self, incident: Incident, execution_arn: str) -> None:
        """Nothing happens where the incident is no longer open: it began, and has ended since."""
        values: Row = {":id": {"S": incident.id}, ":arn": {"S": execution_arn}, ":yes": {"BOOL": True}}
        self._update(f"mark incident {incident.id} as started", incident, "SET execution_arn = :arn, started = :yes", values)

    def renew_heartbeat(self, incident: Incident, at: datetime) -> bool:
        """A sign of life of the person who holds it. False where it was closed or taken over."""
        values: Row = {":id": {"S": incident.id}, ":at": items.time(at)}
        return self._update(f"hold incident {incident.id}", incident, "SET heartbeat_at = :at", values)

    def mark_repairing(self, incident: Incident, repairing: bool) -> bool:
        """One conditional write, so that either this or a take-over comes first, and whoever comes second learns of it."""
        values: Row = {":id": {"S": incident.id}} | ({":yes": {"BOOL": True}} if repairing else {})
        attempt = f"note that incident {incident.id} is {'' if repairing else 'no longer '}being acted on"
        return self._update(attempt, incident, "SET repairing = :yes" if repairing else "REMOVE repairing", values)

    def mark_approval_requested(self, incident: Incident, callback_id: str | None) -> None:
        """Remember the approval that is waited for; None when it has been answered.

        Raises:
            Conflict: the incident is no longer the open one, so nobody is to be asked about it.
        """
        values: Row = {":id": {"S": incident.id}} | ({":callback": {"S": callback_id}} if callback_id else {})
        attempt = f"note the approval of incident {incident.id}"
        change = "SET callback_id = :callback" if callback_id else "REMOVE callback_id"
        if not self._update(attempt, incident, change, values):
            raise Conflict(f"{attempt}: it is no longer open")

    def mark_notified(self, incident: Incident, state: str) -> bool:
        """Remember that this state's message was sent. False where the incident is no longer open."""
        values: Row = {":id": {"S": incident.id}, ":state": {"SS": [state]}}
        return self._update(f"note what was told of incident {incident.id}", incident, "ADD notified :state", values)

    def notified_states(self, incident: Incident) -> frozenset[str]:
        """States whose message has been sent; none where the incident is no longer open."""
        row = self._table.get(f"read what was told of incident {incident.id}", items.now_key(incident.target))
        return frozenset(row["notified"]["SS"]) if items.incident_id(row) == incident.id and "notified" in row else frozenset()

    def get(self, target: ServiceAccountRef) -> Incident | None:
        row = self._table.get(f"read the incident of {target.key}", items.now_key(target))
        return items.incident(target, row) if items.incident_id(row) else None

    def close(self, past: PastIncident, seen_signals: int, healthy_since: datetime | None) -> bool:
        """History and row change in one transaction, so that a crash leaves both or neither.

        Raises:
            Conflict: the incident is not open and was not closed before: another has taken its place.
        """
        attempt = f"close incident {past.id}"
        refusing = self._table.transact(
            attempt, self._closing(past, seen_signals, healthy_since), [self._table.put_entry(items.past_item(past))]
        )
        if refusing is None:
            return True
        if items.incident_id(refusing) == past.id:
            return False
        if any(item.id == past.id for item in self.history(past.target, past.opened_at)):
            return True  # it was closed; only the answer was lost
        raise Conflict(f"{attempt}: it is no longer open")

    def history(self, target: ServiceAccountRef, since: datetime) -> tuple[PastIncident, ...]:
        """Incidents of this ServiceAccount closed since then, newest first."""
        condition = f"{PARTITION_KEY} = :pk AND {SORT_KEY} BETWEEN :since AND :end"
        values = {":pk": items.now_key(target)[PARTITION_KEY], ":since": items.past_from(since), ":end": items.AFTER_EVERY_PAST}
        found = self._table.query(f"read the history of {target.key}", condition, values)
        return tuple(items.past(target, row) for row in found)

    def affected_clusters(self, binding_path: str, since: datetime) -> tuple[str, ...]:
        """Clusters with an incident, open or closed, that was opened about this binding since then; by name."""
        values = {":pk": items.binding_key(binding_path, "-")[PARTITION_KEY]}
        marks = self._table.query(f"read the clusters that turned wrong under {binding_path}", f"{PARTITION_KEY} = :pk", values)
        return tuple(sorted(mark[SORT_KEY]["S"] for mark in marks if mark["turned_wrong_at"]["S"] >= items.time(since)["S"]))

    def _count(self, incident: Incident) -> tuple[Row, bool]:
        adding: Row = {":signals": {"N": str(incident.signals)}}
        key = items.now_key(incident.target)
        return self._table.update(f"join {incident.target.key}", key, "ADD signals :signals", "attribute_exists(incident_id)", adding)

    def _update(self, attempt: str, incident: Incident, change: str, values: Row) -> bool:
        return self._table.update(attempt, items.now_key(incident.target), change, "incident_id = :id", values)[1]

    def _open(self, incident: Incident, condition: str, more: Row | None = None) -> tuple[Row, bool]:
        """The count of signals goes on from those that came before: a look follows for them, too."""
        setting = items.opening(incident)
        adding: Row = {":signals": {"N": str(incident.signals)}}
        removing = ", ".join(name for name in (*items.OPEN_ATTRIBUTES, EXPIRES_AT) if name not in setting and name != "signals")
        change = "SET " + ", ".join(f"{name} = :{name}" for name in setting) + f" REMOVE {removing} ADD signals :signals"
        values = {f":{name}": value for name, value in setting.items()} | adding | (more or {})
        return self._table.update(f"open incident {incident.id}", items.now_key(incident.target), change, condition, values)

    def _mark(self, incident: Incident) -> None:
        if incident.binding_path:
            values = {":at": items.time(incident.opened_at)} | {f":{name}": item for name, item in items.expiry(incident.opened_at).items()}
            self._table.update(
                f"mark {incident.binding_path}",
                items.binding_key(incident.binding_path, incident.target.cluster),
                "SET turned_wrong_at = :at, expires_at = :expires_at",
                "attribute_not_exists(turned_wrong_at) OR turned_wrong_at < :at",
                values,
            )

    def _closing(self, past: PastIncident, seen_signals: int, healthy_since: datetime | None) -> dict[str, Any]:
        # The remediator's last look read the nodes; one that joined meanwhile may still be within its grace.
        well = ("known_good_at", "nodes_seen_at", "nodes_unsettled") if healthy_since else ()
        gone = ("gone_notified_at",) if past.verdict == Verdict.CLUSTER_GONE and not healthy_since else ()
        setting = f" SET {', '.join(f'{name} = :at' for name in (*well, *gone))}" if well or gone else ""
        change = f"REMOVE {', '.join([*items.OPEN_ATTRIBUTES, *(['gone_notified_at'] if not gone else [])])}{setting}"
        values: Row = {":id": {"S": past.id}, ":seen": {"N": str(seen_signals)}}
        values |= {":at": items.time(healthy_since or past.closed_at)} if setting else {}
        return self._table.update_parameters(items.now_key(past.target), change, "incident_id = :id AND signals <= :seen", values)
