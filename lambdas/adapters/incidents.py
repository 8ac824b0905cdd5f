"""Incidents and history in DynamoDB. Every write is conditional, so concurrent callers cannot undo each other's writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lambdas.adapters import check_lease_items
from lambdas.adapters import incident_items as items
from lambdas.adapters.dynamodb_table import Row, Table
from lambdas.contract.incidents import EXPIRES_AT, PARTITION_KEY, SORT_KEY
from lambdas.domain.diagnosis.verdict import Verdict
from lambdas.domain.errors import Conflict, TransientError
from lambdas.domain.incidents.check_lease import (
    IDLE_STATE_RETENTION,
    after_healthy_check,
    answer_to_quiet_signal,
    is_lease_expired,
    result_of_signal,
)
from lambdas.domain.incidents.incident import (
    FORGEABLE_INTERVAL,
    KEPT_INTERVAL,
    AlreadyAnswered,
    IdleState,
    Incident,
    NodesState,
    PastIncident,
    Signal,
    SignalResult,
    find_answer,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.contract.parameters import ServiceAccountRef

_CLAIM_ATTEMPTS: Final = 8
"""A claim fails only if another writer changes the row within milliseconds. Eight failures in a row have another cause."""


class Incidents:
    """Implements `IncidentsPort`."""

    def __init__(self, session: AwsSession, table: str) -> None:
        self._table = Table(session, table)

    def signal(self, target: ServiceAccountRef, signal: Signal) -> SignalResult:
        """One conditional write. If a former check has answered the signal, the write fails and returns the row.

        A quiet signal costs one read where nothing has to be counted, a fifth of the price.
        """
        if signal.quiet:
            row = self._table.get(f"signal {target.key}", items.row_key(target))
            if items.incident_id(row) is None and (found := answer_to_quiet_signal(items.idle_state(row), signal)):
                return found
        row, counted = self._table.update(f"signal {target.key}", items.row_key(target), *check_lease_items.count_signal(signal))
        state = items.idle_state(row)
        if not counted:  # the condition failed, so a former check answered
            return find_answer(state, signal) or AlreadyAnswered(signal.at)
        if items.incident_id(row):
            return items.incident(target, row)
        return self._take_expired_lease(target, signal, state) if is_lease_expired(state, signal.at) else result_of_signal(state, signal)

    def _take_expired_lease(self, target: ServiceAccountRef, signal: Signal, former: IdleState) -> SignalResult:
        """Take the expired lease, unless another check took it first."""
        row, taken = self._table.update(
            f"take the expired lease of {target.key}", items.row_key(target), *check_lease_items.take_expired_lease(signal, former)
        )
        if items.incident_id(row):
            return items.incident(target, row)
        state = items.idle_state(row)
        return result_of_signal(state, signal) if taken or state.lease_holder else self.signal(target, signal)

    def finish_check(
        self, target: ServiceAccountRef, state: IdleState, began_at: datetime, nodes: NodesState | None = None
    ) -> IdleState | None:
        """One write. Its condition holds if no other writer has changed the row since this check read it."""
        attempt = f"record that {target.key} is healthy"
        row, written = self._table.update(
            attempt, items.row_key(target), *check_lease_items.finish_check(state, after_healthy_check(state, began_at, nodes))
        )
        current = items.idle_state(row)
        return current if not written and state.lease_holder and current.lease_holder == state.lease_holder else None

    def release_check(self, target: ServiceAccountRef, state: IdleState, forget: datetime | None = None) -> None:
        """Release the lease in one write. A row to forget expires, so the checker needs no grant to delete items."""
        self._table.update(f"release the lease of {target.key}", items.row_key(target), *check_lease_items.release_lease(state, forget))

    def claim_minute(self, cluster: str, at: datetime) -> bool:
        """One conditional write on a row of its own, which expires."""
        condition, values = _no_time_within("requested_at", at, FORGEABLE_INTERVAL)
        values[":expires"] = {"N": str(int((at + IDLE_STATE_RETENTION).timestamp()))}
        _, claimed = self._table.update(
            "claim a request", items.request_key(cluster), f"SET requested_at = :at, {EXPIRES_AT} = :expires", condition, values
        )
        return claimed

    def claim_kept_notice(self, target: ServiceAccountRef, event: str, at: datetime) -> bool:
        """One conditional write on a row of its own, which expires."""
        condition, values = _no_time_within("claimed_at", at, KEPT_INTERVAL)
        values |= {":event": {"S": event}, ":expires": {"N": str(int((at + KEPT_INTERVAL + IDLE_STATE_RETENTION).timestamp()))}}
        condition += " OR claimed_by = :event"
        change = f"SET claimed_at = :at, claimed_by = :event, {EXPIRES_AT} = :expires"
        _, claimed = self._table.update("claim a message about a kept role", items.kept_key(target), change, condition, values)
        return claimed

    def record_delivery(self, nonce: str, at: datetime) -> None:
        """One write on one of 256 rows, which expire: nobody can fill the table with test events."""
        values = {":nonce": {"S": nonce}, ":at": items.time(at), ":expires": {"N": str(int((at + IDLE_STATE_RETENTION).timestamp()))}}
        change = f"SET nonce = :nonce, arrived_at = :at, {EXPIRES_AT} = :expires"
        self._table.update("record a test event", items.delivery_key(nonce), change, "", values)

    def claim(self, incident: Incident) -> Incident:
        """Open or join the incident. The binding's item is written first: a missing one would disable the circuit breaker."""
        self._record_affected_cluster(incident)
        for _ in range(_CLAIM_ATTEMPTS):
            row, opened = self._open(incident, "attribute_not_exists(incident_id)")
            if opened or items.incident_id(row) == incident.id:  # an earlier attempt succeeded, and its response was lost
                return items.incident(incident.target, row)
            row, counted = self._count(incident)
            if counted:
                return items.incident(incident.target, row)
        raise TransientError(f"claim {incident.target.key}: lost to other writers {_CLAIM_ATTEMPTS} times")

    def take_over(self, ended: Incident, successor: Incident) -> Incident:
        """Replace the ended incident. The successor keeps its count of signals."""
        self._record_affected_cluster(successor)
        condition, values = _same_execution(ended)
        unchanged = f"{condition} AND {'attribute_exists' if ended.repairing else 'attribute_not_exists'}(repairing)"
        row, taken = self._open(successor, unchanged, values)
        if taken or items.incident_id(row) == successor.id:
            return items.incident(successor.target, row)
        return self.claim(successor)

    def mark_started(self, incident: Incident, execution_arn: str) -> None:
        """Record the execution. This has no effect if the incident has since been closed or handed to a later execution."""
        condition, values = _same_execution(incident)
        values |= {":arn": {"S": execution_arn}, ":yes": {"BOOL": True}}
        change = "SET execution_arn = :arn, started = :yes"
        self._table.update(f"mark incident {incident.id} as started", items.row_key(incident.target), change, condition, values)

    def hand_over(self, incident: Incident, state: str) -> bool:
        """Write state and row in one transaction. True also if an earlier attempt did so, and its response was lost."""
        following = incident.execution + 1
        condition, values = _same_execution(incident)
        values |= {":next": {"N": str(following)}, ":no": {"BOOL": False}}
        update = self._table.update_parameters(
            items.row_key(incident.target), "SET execution_number = :next, started = :no REMOVE execution_arn", condition, values
        )
        carried = {**items.carried_key(incident), "workflow_state": {"S": state}, **items.expiry(incident.opened_at)}
        row = self._table.transact(f"hand over incident {incident.id}", update, [self._table.put_entry(carried)])
        return row is None or (items.incident_id(row) == incident.id and items.execution_number(row) == following)

    def carried_state(self, incident: Incident) -> str:
        """The state that the execution before has written; empty where there is none."""
        row = self._table.get(f"read the state of incident {incident.id}", items.carried_key(incident))
        return str(row["workflow_state"]["S"]) if "workflow_state" in row else ""

    def renew_heartbeat(self, incident: Incident, at: datetime) -> bool:
        """Record the heartbeat of the person who holds the incident. False if it was closed or taken over."""
        values: Row = {":id": {"S": incident.id}, ":at": items.time(at)}
        return self._update(f"renew the heartbeat of incident {incident.id}", incident, "SET heartbeat_at = :at", values)

    def mark_repairing(self, incident: Incident, repairing: bool) -> bool:
        """One conditional write, so this write and a concurrent take-over or hand-over cannot both succeed. False if one came before."""
        condition, values = _same_execution(incident)
        values |= {":yes": {"BOOL": True}} if repairing else {}
        attempt = f"record that the repair of incident {incident.id} {'begins' if repairing else 'has ended'}"
        change = "SET repairing = :yes, has_begun_repair = :yes" if repairing else "REMOVE repairing"
        return self._table.update(attempt, items.row_key(incident.target), change, condition, values)[1]

    def mark_approval_requested(self, incident: Incident, callback_id: str | None) -> None:
        """Record the callback of the pending approval; None when it was answered.

        Raises:
            Conflict: the incident is no longer open, so no approval may be requested.
        """
        values: Row = {":id": {"S": incident.id}} | ({":callback": {"S": callback_id}} if callback_id else {})
        attempt = f"record the approval of incident {incident.id}"
        change = "SET callback_id = :callback" if callback_id else "REMOVE callback_id"
        if not self._update(attempt, incident, change, values):
            raise Conflict(f"{attempt}: it is no longer open")

    def mark_notified(self, incident: Incident, state: str) -> bool:
        """Record that the message of this state was sent. False if the incident is no longer open."""
        values: Row = {":id": {"S": incident.id}, ":state": {"SS": [state]}}
        return self._update(f"record a notification of incident {incident.id}", incident, "ADD notified :state", values)

    def notified_states(self, incident: Incident) -> frozenset[str]:
        """The states whose message was sent; none if the incident is no longer open."""
        row = self._table.get(f"read the notifications of incident {incident.id}", items.row_key(incident.target))
        return frozenset(row["notified"]["SS"]) if items.incident_id(row) == incident.id and "notified" in row else frozenset()

    def get(self, target: ServiceAccountRef) -> Incident | None:
        row = self._table.get(f"read the incident of {target.key}", items.row_key(target))
        return items.incident(target, row) if items.incident_id(row) else None

    def states(self, targets: Sequence[ServiceAccountRef]) -> dict[ServiceAccountRef, Incident | IdleState]:
        """Read the rows in batches, eventually consistent, at half the price."""
        attempt = f"read the rows of {len(targets)} ServiceAccounts"
        by_key = {items.row_key(target)[PARTITION_KEY]["S"]: target for target in targets}
        found = {by_key[row[PARTITION_KEY]["S"]]: row for row in self._table.batch(attempt, [items.row_key(target) for target in targets])}
        return {target: self._state_of(target, found.get(target, {})) for target in targets}

    @staticmethod
    def _state_of(target: ServiceAccountRef, row: Row) -> Incident | IdleState:
        return items.incident(target, row) if items.incident_id(row) else items.idle_state(row)

    def close(self, past: PastIncident, seen_signals: int, healthy_since: datetime | None) -> bool:
        """Write history and row in one transaction. False if an unseen signal arrived.

        Raises:
            Conflict: another incident has replaced this one.
        """
        attempt = f"close incident {past.id}"
        current = self._table.transact(
            attempt, self._close_update(past, seen_signals, healthy_since), [self._table.put_entry(items.past_item(past))]
        )
        if current is None:
            return True
        if items.incident_id(current) == past.id:
            return False
        if any(closed.id == past.id for closed in self.history(past.target, past.opened_at)):
            return True  # an earlier attempt closed it, and its response was lost
        raise Conflict(f"{attempt}: it is no longer open")

    def history(self, target: ServiceAccountRef, since: datetime) -> tuple[PastIncident, ...]:
        """Incidents of this ServiceAccount closed since then, newest first."""
        condition = f"{PARTITION_KEY} = :pk AND {SORT_KEY} BETWEEN :since AND :end"
        values = {":pk": items.row_key(target)[PARTITION_KEY], ":since": items.history_start(since), ":end": items.HISTORY_END}
        found = self._table.query(f"read the history of {target.key}", condition, values)
        return tuple(items.past(target, row) for row in found)

    def affected_clusters(self, binding_path: str, since: datetime) -> tuple[str, ...]:
        """Names of the clusters where an incident about this binding was opened since then, closed or not."""
        values = {":pk": items.binding_key(binding_path, "-")[PARTITION_KEY]}
        found = self._table.query(f"read the clusters that {binding_path} affected", f"{PARTITION_KEY} = :pk", values)
        return tuple(sorted(row[SORT_KEY]["S"] for row in found if row[items.AFFECTED_AT]["S"] >= items.time(since)["S"]))

    def _count(self, incident: Incident) -> tuple[Row, bool]:
        adding: Row = {":signals": {"N": str(incident.signals)}}
        key = items.row_key(incident.target)
        return self._table.update(f"join {incident.target.key}", key, "ADD signals :signals", "attribute_exists(incident_id)", adding)

    def _update(self, attempt: str, incident: Incident, change: str, values: Row) -> bool:
        return self._table.update(attempt, items.row_key(incident.target), change, "incident_id = :id", values)[1]

    def _open(self, incident: Incident, condition: str, more: Row | None = None) -> tuple[Row, bool]:
        """Set the attributes of the open incident. Signals that were counted before stay counted."""
        setting = items.open_attributes(incident)
        adding: Row = {":signals": {"N": str(incident.signals)}}
        kept = {*setting, "signals", items.LATEST_REFUSAL}
        removing = ", ".join(name for name in (*items.OPEN_ATTRIBUTES, EXPIRES_AT) if name not in kept)
        change = "SET " + ", ".join(f"{name} = :{name}" for name in setting) + f" REMOVE {removing} ADD signals :signals"
        values = {f":{name}": value for name, value in setting.items()} | adding | (more or {})
        return self._table.update(f"open incident {incident.id}", items.row_key(incident.target), change, condition, values)

    def _record_affected_cluster(self, incident: Incident) -> None:
        if incident.binding_path:
            values = {":at": items.time(incident.opened_at)} | {
                f":{name}": value for name, value in items.expiry(incident.opened_at).items()
            }
            self._table.update(
                f"record an incident under {incident.binding_path}",
                items.binding_key(incident.binding_path, incident.target.cluster),
                f"SET {items.AFFECTED_AT} = :at, {EXPIRES_AT} = :expires_at",
                f"attribute_not_exists({items.AFFECTED_AT}) OR {items.AFFECTED_AT} < :at",
                values,
            )

    def _close_update(self, past: PastIncident, seen_signals: int, healthy_since: datetime | None) -> dict[str, Any]:
        # The last assessment read the nodes; a node that joined since then may still be in its grace period.
        healthy = items.HEALTHY_ATTRIBUTES if healthy_since else ()
        gone = (items.GONE_NOTIFIED_AT,) if past.verdict == Verdict.CLUSTER_GONE and not healthy_since else ()
        setting = f" SET {', '.join(f'{name} = :at' for name in (*healthy, *gone))}" if healthy or gone else ""
        change = f"REMOVE {', '.join([*items.OPEN_ATTRIBUTES, *([items.GONE_NOTIFIED_AT] if not gone else [])])}{setting}"
        values: Row = {":id": {"S": past.id}, ":seen": {"N": str(seen_signals)}}
        values |= {":at": items.time(healthy_since or past.closed_at)} if setting else {}
        return self._table.update_parameters(items.row_key(past.target), change, "incident_id = :id AND signals <= :seen", values)


def _no_time_within(attribute: str, at: datetime, interval: timedelta) -> tuple[str, Row]:
    """The condition that the row has no time within the interval before or after `at`, with its values."""
    values: Row = {":at": items.time(at), ":earliest": items.time(at - interval), ":latest": items.time(at + interval)}
    return f"attribute_not_exists({attribute}) OR {attribute} <= :earliest OR {attribute} > :latest", values


def _same_execution(incident: Incident) -> tuple[str, Row]:
    """The condition that the incident is open and still this execution's, with its values."""
    values: Row = {":id": {"S": incident.id}}
    if incident.execution == 1:
        return "incident_id = :id AND attribute_not_exists(execution_number)", values
    return "incident_id = :id AND execution_number = :current", values | {":current": {"N": str(incident.execution)}}
