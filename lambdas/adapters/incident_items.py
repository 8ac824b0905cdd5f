"""Converts incidents and history to items of the table, and back. Pure.

| pk | sk | what |
|---|---|---|
| `sa#<cluster>/<namespace>/<name>` | `now` | one row per ServiceAccount: open incident, check lease, last healthy check |
| `sa#<cluster>/<namespace>/<name>` | `carried#<incident id>` | state that an execution hands to the next one, removed after 90 days |
| `sa#<cluster>/<namespace>/<name>` | `past#<closed at>#<incident id>` | history, removed after 90 days |
| `request#<cluster>` | `now` | when an event that anyone may send last requested an unanswerable check; removed after a day |
| `kept#<cluster>/<namespace>/<name>` | `now` | when an event last led to a message that the guard kept the role; removed after two days |
| `binding#<parameter path>` | `<cluster>` | when an incident of this cluster was last opened for this binding, removed after 90 days |
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambdas.application.codec import decode, encode
from lambdas.contract.incidents import EXPIRES_AT, PARTITION_KEY, SORT_KEY
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.details import NO_DETAILS, IncidentDetails
from lambdas.domain.incidents.incident import IdleState, Incident, Outcome, PastIncident

Row = dict[str, dict[str, Any]]

HISTORY_RETENTION: Final = timedelta(days=90)
HISTORY_END: Final = {"S": "past$"}
"""A sort key after every key of history, since `$` follows `#`."""

LATEST_REFUSAL: Final = "latest_refusal"
"""Attribute with the latest refused call. It stays when an incident is opened, since the check may not have seen it yet."""
LEASE_ATTRIBUTES: Final = ("lease_holder", "lease_since", "latest_request", LATEST_REFUSAL, "requirements")
"""Attributes of a row in addition to `signals`, while a check holds the lease."""

OPEN_ATTRIBUTES: Final = (
    "incident_id",
    "opened_at",
    "signals",
    "first_request",
    "started",
    "execution_arn",
    "holder",
    "callback_id",
    "binding_path",
    "heartbeat_at",
    "notified",
    "repairing",
    "has_begun_repair",
    "execution_number",
    *LEASE_ATTRIBUTES,
)
"""Attributes of a row while an incident is open or a check holds the lease. A row without `incident_id` has no incident."""

HEALTHY_ATTRIBUTES: Final = ("known_good_at", "nodes_seen_at", "nodes_unsettled")
"""Attributes of a row after a check that found no fault."""

GONE_NOTIFIED_AT: Final = "gone_notified_at"
"""Attribute of a row whose missing cluster was reported."""

AFFECTED_AT: Final = "affected_at"
"""Attribute of an item by binding and cluster: when an incident about the binding was last opened there."""


def time(at: datetime) -> dict[str, str]:
    """A time as an attribute that sorts chronologically: UTC, always with microseconds."""
    return {"S": at.astimezone(UTC).isoformat(timespec="microseconds")}


def expiry(at: datetime) -> Row:
    """The attribute by which DynamoDB removes an item 90 days after `at`."""
    return {EXPIRES_AT: {"N": str(int((at + HISTORY_RETENTION).timestamp()))}}


def row_key(target: ServiceAccountRef) -> Row:
    """The key of the row of a ServiceAccount."""
    return {PARTITION_KEY: {"S": f"sa#{target.key}"}, SORT_KEY: {"S": "now"}}


def request_key(cluster: str) -> Row:
    """The key of the row that records the last claimed request about a cluster. The empty name means all clusters."""
    return {PARTITION_KEY: {"S": f"request#{cluster}"}, SORT_KEY: {"S": "now"}}


def kept_key(target: ServiceAccountRef) -> Row:
    """The key of the row that records the last message that the guard kept the role of a ServiceAccount."""
    return {PARTITION_KEY: {"S": f"kept#{target.key}"}, SORT_KEY: {"S": "now"}}


def delivery_key(nonce: str) -> Row:
    """The key of the row that records the arrival of a test event. Two digits of the nonce limit the rows to 256."""
    return {PARTITION_KEY: {"S": f"delivery#{nonce[:2]}"}, SORT_KEY: {"S": "now"}}


def delivered_at(nonce: str, row: Row) -> datetime | None:
    """When the test event arrived; None where the row is of another event."""
    return datetime.fromisoformat(row["arrived_at"]["S"]) if row.get("nonce", {}).get("S") == nonce else None


def binding_key(path: str, cluster: str) -> Row:
    """The key of the item of a cluster under a binding."""
    return {PARTITION_KEY: {"S": f"binding#{path}"}, SORT_KEY: {"S": cluster}}


def history_start(since: datetime) -> dict[str, str]:
    """The first sort key of history that was closed at this time or later."""
    return {"S": f"past#{time(since)['S']}"}


def open_attributes(incident: Incident) -> Row:
    """The attributes that an open incident sets, without `signals`. The writer removes the other `OPEN_ATTRIBUTES`."""
    texts = {
        "incident_id": incident.id,
        "first_request": json.dumps(incident.request),
        "execution_arn": incident.execution_arn,
        "holder": incident.holder,
        "callback_id": incident.callback_id,
        "binding_path": incident.binding_path,
    }
    known: Row = {name: {"S": text} for name, text in texts.items() if text is not None}
    known |= {"heartbeat_at": time(incident.heartbeat_at)} if incident.heartbeat_at else {}
    known |= {"repairing": {"BOOL": True}} if incident.repairing else {}
    known |= {"has_begun_repair": {"BOOL": True}} if incident.has_begun_repair else {}
    known |= {"execution_number": {"N": str(incident.execution)}} if incident.execution > 1 else {}
    return known | {"opened_at": time(incident.opened_at), "started": {"BOOL": incident.started}}


def incident(target: ServiceAccountRef, row: Row) -> Incident:
    """The open incident of a row, which must have one."""
    return Incident(
        id=row["incident_id"]["S"],
        target=target,
        opened_at=_time_of(row["opened_at"]),
        signals=int(row["signals"]["N"]),
        request=json.loads(row["first_request"]["S"]),
        started=row["started"]["BOOL"],
        execution_arn=_text(row, "execution_arn"),
        holder=row["holder"]["S"],
        callback_id=_text(row, "callback_id"),
        binding_path=_text(row, "binding_path"),
        heartbeat_at=_time_of(row["heartbeat_at"]) if "heartbeat_at" in row else None,
        repairing="repairing" in row,
        has_begun_repair="has_begun_repair" in row,
        execution=execution_number(row),
        refusal=_latest_refusal(row),
    )


def execution_number(row: Row) -> int:
    """The number of the execution that works on the incident; the first one is not written."""
    return int(row["execution_number"]["N"]) if "execution_number" in row else 1


def carried_key(incident: Incident) -> Row:
    """The key of the state that is handed to the next execution of an incident."""
    return {**row_key(incident.target), SORT_KEY: {"S": f"carried#{incident.id}"}}


def incident_id(row: Row) -> str | None:
    """The id of the open incident, or None."""
    return _text(row, "incident_id")


def idle_state(row: Row) -> IdleState:
    """The state of a row without an incident: the last healthy checks, and the check lease."""
    return IdleState(
        known_good_at=_time_of(row["known_good_at"]) if "known_good_at" in row else None,
        nodes_seen_at=_time_of(row["nodes_seen_at"]) if "nodes_seen_at" in row else None,
        nodes_unsettled="nodes_unsettled" in row,
        gone_notified_at=_time_of(row["gone_notified_at"]) if "gone_notified_at" in row else None,
        lease_holder=_text(row, "lease_holder") or "",
        lease_since=_time_of(row["lease_since"]) if "lease_since" in row else None,
        signals=int(row["signals"]["N"]) if "signals" in row else 0,
        request=json.loads(row["latest_request"]["S"]) if "latest_request" in row else None,
        refusal=_latest_refusal(row),
        requirements=frozenset(row["requirements"]["SS"]) if "requirements" in row else frozenset(),
    )


def _latest_refusal(row: Row) -> dict[str, Any] | None:
    return json.loads(row[LATEST_REFUSAL]["S"]) if LATEST_REFUSAL in row else None


def past_item(past: PastIncident) -> Row:
    """One item of history. The same `closed_at` and id give the same key, so a repeated write is idempotent."""
    texts = {
        "incident_id": past.id,
        "outcome": str(past.outcome),
        "verdict": past.verdict,
        "caused_by": past.trigger,
        "changes": json.dumps(past.changes),
        "binding_path": past.binding_path,
        "old_value": past.old_value,
        "details": json.dumps(encode(past.details)) if past.details != NO_DETAILS else None,
    }
    numbers = {"signals": past.signals, "binding_version": past.binding_version}
    sort_key = {"S": f"{history_start(past.closed_at)['S']}#{past.id}"}
    return {
        **row_key(past.target),
        SORT_KEY: sort_key,
        "opened_at": time(past.opened_at),
        "closed_at": time(past.closed_at),
        **{name: {"S": text} for name, text in texts.items() if text is not None},
        **{name: {"N": str(number)} for name, number in numbers.items() if number is not None},
        **expiry(past.closed_at),
    }


def past(target: ServiceAccountRef, row: Row) -> PastIncident:
    """The inverse of `past_item`."""
    return PastIncident(
        id=row["incident_id"]["S"],
        target=target,
        opened_at=_time_of(row["opened_at"]),
        closed_at=_time_of(row["closed_at"]),
        outcome=Outcome(row["outcome"]["S"]),
        verdict=row["verdict"]["S"],
        trigger=row["caused_by"]["S"],
        changes=tuple(json.loads(row["changes"]["S"])),
        signals=int(row["signals"]["N"]),
        binding_path=_text(row, "binding_path"),
        binding_version=int(row["binding_version"]["N"]) if "binding_version" in row else None,
        old_value=_text(row, "old_value"),
        details=_details_of(row),
    )


def _details_of(row: Row) -> IncidentDetails:
    """The details of a row of history; none where they are absent or not readable, so that the facts of the incident still count."""
    try:
        return decode(IncidentDetails, json.loads(row["details"]["S"])) if "details" in row else NO_DETAILS
    except (AttributeError, KeyError, TypeError, ValueError):
        return NO_DETAILS


def _text(row: Row, name: str) -> str | None:
    return row[name]["S"] if name in row else None


def _time_of(attribute: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(attribute["S"])
