"""Incidents and history as items of the table, and back: pure.

| pk | sk | what |
|---|---|---|
| `sa#<cluster>/<namespace>/<name>` | `now` | one row per ServiceAccount: the open incident, if any, and when all was last well |
| `sa#<cluster>/<namespace>/<name>` | `past#<closed at>#<incident id>` | history, removed after 90 days |
| `binding#<parameter path>` | `<cluster>` | when this cluster turned wrong under this binding, removed after 90 days |
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambdas.contract.incidents import EXPIRES_AT, PARTITION_KEY, SORT_KEY
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.incident import IdleState, Incident, Outcome, PastIncident

Row = dict[str, dict[str, Any]]

KEPT: Final = timedelta(days=90)
AFTER_EVERY_PAST: Final = {"S": "past$"}
"""`$` follows `#`: after the last key of history."""

DUTY_ATTRIBUTES: Final = ("lease_holder", "lease_since", "latest_request", "requirements")
"""What a row has, beside `signals`, while a check is on duty."""

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
    *DUTY_ATTRIBUTES,
)
"""What a row has only while an incident is open or a check is on duty. Without `incident_id` there is no incident."""


def time(at: datetime) -> dict[str, str]:
    """An attribute that sorts as time does: UTC, always with microseconds."""
    return {"S": at.astimezone(UTC).isoformat(timespec="microseconds")}


def expiry(at: datetime) -> Row:
    """The attribute by which an item leaves 90 days after `at`."""
    return {EXPIRES_AT: {"N": str(int((at + KEPT).timestamp()))}}


def now_key(target: ServiceAccountRef) -> Row:
    """The row of a ServiceAccount."""
    return {PARTITION_KEY: {"S": f"sa#{target.key}"}, SORT_KEY: {"S": "now"}}


def binding_key(path: str, cluster: str) -> Row:
    """The mark of a cluster under a binding."""
    return {PARTITION_KEY: {"S": f"binding#{path}"}, SORT_KEY: {"S": cluster}}


def past_from(since: datetime) -> dict[str, str]:
    """The first sort key of history closed then or later."""
    return {"S": f"past#{time(since)['S']}"}


def opening(incident: Incident) -> Row:
    """What an open incident sets on its row, without the count of signals; what it does not set is to be removed."""
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
    return known | {"opened_at": time(incident.opened_at), "started": {"BOOL": incident.started}}


def incident(target: ServiceAccountRef, row: Row) -> Incident:
    """The open incident of a row that has one."""
    return Incident(
        id=row["incident_id"]["S"],
        target=target,
        opened_at=_when(row["opened_at"]),
        signals=int(row["signals"]["N"]),
        request=json.loads(row["first_request"]["S"]),
        started=row["started"]["BOOL"],
        execution_arn=_text(row, "execution_arn"),
        holder=row["holder"]["S"],
        callback_id=_text(row, "callback_id"),
        binding_path=_text(row, "binding_path"),
        heartbeat_at=_when(row["heartbeat_at"]) if "heartbeat_at" in row else None,
        repairing="repairing" in row,
    )


def incident_id(row: Row) -> str | None:
    """The id of the open incident, or None."""
    return _text(row, "incident_id")


def free(row: Row) -> IdleState:
    """What is remembered of checks that found all well, and who is on duty."""
    return IdleState(
        known_good_at=_when(row["known_good_at"]) if "known_good_at" in row else None,
        nodes_seen_at=_when(row["nodes_seen_at"]) if "nodes_seen_at" in row else None,
        nodes_unsettled="nodes_unsettled" in row,
        gone_notified_at=_when(row["gone_notified_at"]) if "gone_notified_at" in row else None,
        lease_holder=_text(row, "lease_holder") or "",
        lease_since=_when(row["lease_since"]) if "lease_since" in row else None,
        signals=int(row["signals"]["N"]) if "signals" in row else 0,
        request=json.loads(row["latest_request"]["S"]) if "latest_request" in row else None,
        requirements=frozenset(row["requirements"]["SS"]) if "requirements" in row else frozenset(),
    )


def past_item(past: PastIncident) -> Row:
    """One line of history. Written again it is the same item, as long as `closed_at` is."""
    texts = {
        "incident_id": past.id,
        "outcome": str(past.outcome),
        "verdict": past.verdict,
        "caused_by": past.trigger,
        "changes": json.dumps(past.changes),
        "binding_path": past.binding_path,
        "old_value": past.old_value,
        "details": None if past.details is None else json.dumps(past.details),
    }
    numbers = {"signals": past.signals, "binding_version": past.binding_version}
    sort_key = {"S": f"{past_from(past.closed_at)['S']}#{past.id}"}
    return {
        **now_key(past.target),
        SORT_KEY: sort_key,
        "opened_at": time(past.opened_at),
        "closed_at": time(past.closed_at),
        **{name: {"S": text} for name, text in texts.items() if text is not None},
        **{name: {"N": str(number)} for name, number in numbers.items() if number is not None},
        **expiry(past.closed_at),
    }


def past(target: ServiceAccountRef, row: Row) -> PastIncident:
    """The inverse of `past_item`."""
    details: Mapping[str, Any] | None = json.loads(row["details"]["S"]) if "details" in row else None
    return PastIncident(
        id=row["incident_id"]["S"],
        target=target,
        opened_at=_when(row["opened_at"]),
        closed_at=_when(row["closed_at"]),
        outcome=Outcome(row["outcome"]["S"]),
        verdict=row["verdict"]["S"],
        trigger=row["caused_by"]["S"],
        changes=tuple(json.loads(row["changes"]["S"])),
        signals=int(row["signals"]["N"]),
        binding_path=_text(row, "binding_path"),
        binding_version=int(row["binding_version"]["N"]) if "binding_version" in row else None,
        old_value=_text(row, "old_value"),
        details=details,
    )


def _text(row: Row, name: str) -> str | None:
    return row[name]["S"] if name in row else None


def _when(attribute: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(attribute["S"])
