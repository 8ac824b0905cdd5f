"""Who is on duty, as conditional updates of a ServiceAccount's row: `(change, condition, values)`, pure.

Each is `domain.duty`'s function of the same purpose in DynamoDB's words; one suite runs over both.
"""

import json
from datetime import datetime
from typing import Any

from lambdas.adapters.incident_items import DUTY_ATTRIBUTES, time
from lambdas.contract.incidents import EXPIRES_AT
from lambdas.domain.incidents.check_lease import FORGOTTEN_AFTER
from lambdas.domain.incidents.incident import EVENT_TIME_GRAIN, CheckRequirements, IdleState, Signal

Update = tuple[str, str, dict[str, dict[str, Any]]]


def signalling(signal: Signal) -> Update:
    """Count it, on the open incident or for whoever is on duty, and be that where nobody is; refused where a check has answered it."""
    setting = {"lease_holder": "if_not_exists(lease_holder, :check)", "lease_since": "if_not_exists(lease_since, :at)"}
    values: dict[str, Any] = {":check": {"S": signal.check}, ":at": time(signal.at), ":one": {"N": "1"}}
    if signal.request is not None:
        setting["latest_request"] = ":request"
        values[":request"] = {"S": json.dumps(signal.request)}
    adding = "signals :one"
    if signal.requirements:
        adding += ", requirements :requirements"
        values[":requirements"] = {"SS": sorted(signal.requirements)}
    change = "SET " + ", ".join(f"{name} = {value}" for name, value in setting.items()) + f" REMOVE {EXPIRES_AT} ADD {adding}"
    if not signal.answerable:
        return change, "", values
    seen = "nodes_seen_at" if CheckRequirements.NODES in signal.requirements else "known_good_at"
    condition = f"attribute_exists(incident_id) OR attribute_not_exists({seen}) OR {seen} < :answering"
    return change, condition, values | {":answering": time(signal.occurred_at + EVENT_TIME_GRAIN)}


def relieving(signal: Signal, former: IdleState) -> Update:
    """Take the place of a check that is gone, if it still has it."""
    values: dict[str, Any] = {":check": {"S": signal.check}, ":at": time(signal.at), ":gone": {"S": former.lease_holder}}
    values |= {":since": time(former.lease_since or signal.at)}
    condition = "attribute_not_exists(incident_id) AND lease_holder = :gone AND lease_since = :since"
    return "SET lease_holder = :check, lease_since = :at", condition, values


def finishing(duty: IdleState, after: IdleState) -> Update:
    """Remember what `after` does, and go off duty, unless a signal came since `duty`."""
    times = {"known_good_at": after.known_good_at, "nodes_seen_at": after.nodes_seen_at}
    times |= {"nodes_unsettled": after.nodes_seen_at if after.nodes_unsettled else None}
    setting = {name: time(item) for name, item in times.items() if item}
    times |= {"gone_notified_at": after.gone_notified_at}
    removing = [*DUTY_ATTRIBUTES, "signals", EXPIRES_AT, *(name for name, item in times.items() if item is None)]
    change = "SET " + ", ".join(f"{name} = :{name}" for name in setting) + f" REMOVE {', '.join(removing)}"
    values: dict[str, Any] = {f":{name}": item for name, item in setting.items()}
    if duty.lease_holder:
        mine: dict[str, Any] = {":check": {"S": duty.lease_holder}, ":seen": {"N": str(duty.signals)}}
        return change, "attribute_not_exists(incident_id) AND lease_holder = :check AND signals <= :seen", values | mine
    condition = "attribute_not_exists(incident_id) AND attribute_not_exists(lease_holder) AND attribute_not_exists(signals)"
    if duty.known_good_at is None:
        return change, f"{condition} AND attribute_not_exists(known_good_at)", values
    return change, f"{condition} AND known_good_at = :known", values | {":known": time(duty.known_good_at)}


def letting_go(duty: IdleState, forget: datetime | None) -> Update:
    """Go off duty; what waits stays, or leaves with the row."""
    values: dict[str, Any] = {":check": {"S": duty.lease_holder}}
    change = "REMOVE lease_holder, lease_since"
    if forget:
        change += f", signals, latest_request, requirements SET {EXPIRES_AT} = :expires"
        values[":expires"] = {"N": str(int((forget + FORGOTTEN_AFTER).timestamp()))}
    return change, "attribute_not_exists(incident_id) AND lease_holder = :check", values
