"""The check lease as conditional updates of a ServiceAccount's row: `(change, condition, values)`. Pure.

Each function is the DynamoDB form of a rule in `domain.incidents.check_lease`. One test suite covers both.
"""

import json
from datetime import datetime
from typing import Any

from lambdas.adapters.incident_items import LEASE_ATTRIBUTES, time
from lambdas.contract.incidents import EXPIRES_AT
from lambdas.domain.incidents.check_lease import IDLE_STATE_RETENTION
from lambdas.domain.incidents.incident import ANSWERS_AFTER, CLOCK_SKEW, CheckRequirement, IdleState, Signal

Update = tuple[str, str, dict[str, dict[str, Any]]]


def count_signal(signal: Signal) -> Update:
    """Count the signal, and take the lease if no check holds it. The condition fails if a former check has answered the signal."""
    setting = {"lease_holder": "if_not_exists(lease_holder, :check)", "lease_since": "if_not_exists(lease_since, :at)"}
    values: dict[str, Any] = {":check": {"S": signal.check}, ":at": time(signal.at), ":one": {"N": "1"}}
    if signal.request is not None:
        setting["latest_request"] = ":request"
        values[":request"] = {"S": json.dumps(signal.request)}
    if signal.refusal is not None:
        setting["latest_refusal"] = ":refusal"
        values[":refusal"] = {"S": json.dumps(signal.refusal)}
    adding = "signals :one"
    if signal.requirements:
        adding += ", requirements :requirements"
        values[":requirements"] = {"SS": sorted(signal.requirements)}
    change = "SET " + ", ".join(f"{name} = {value}" for name, value in setting.items()) + f" REMOVE {EXPIRES_AT} ADD {adding}"
    if not signal.answerable:
        return change, "", values
    seen = "nodes_seen_at" if CheckRequirement.NODES in signal.requirements else "known_good_at"
    condition = f"attribute_exists(incident_id) OR attribute_not_exists({seen}) OR {seen} < :answering OR {seen} > :future"
    times = {":answering": time(signal.occurred_at + ANSWERS_AFTER), ":future": time(signal.at + CLOCK_SKEW)}
    return change, condition, values | times


def take_expired_lease(signal: Signal, former: IdleState) -> Update:
    """Take an expired lease. The condition fails if its holder has changed."""
    values: dict[str, Any] = {":check": {"S": signal.check}, ":at": time(signal.at), ":former": {"S": former.lease_holder}}
    values |= {":since": time(former.lease_since or signal.at)}
    condition = "attribute_not_exists(incident_id) AND lease_holder = :former AND lease_since = :since"
    return "SET lease_holder = :check, lease_since = :at", condition, values


def finish_check(state: IdleState, after: IdleState) -> Update:
    """Write `after` and release the lease. The condition fails if a signal arrived since `state` was read."""
    times = {"known_good_at": after.known_good_at, "nodes_seen_at": after.nodes_seen_at}
    times |= {"nodes_unsettled": after.nodes_seen_at if after.nodes_unsettled else None}
    setting = {name: time(at) for name, at in times.items() if at}
    times |= {"gone_notified_at": after.gone_notified_at}
    removing = [*LEASE_ATTRIBUTES, "signals", EXPIRES_AT, *(name for name, at in times.items() if at is None)]
    change = "SET " + ", ".join(f"{name} = :{name}" for name in setting) + f" REMOVE {', '.join(removing)}"
    values: dict[str, Any] = {f":{name}": value for name, value in setting.items()}
    if state.lease_holder:
        lease: dict[str, Any] = {":check": {"S": state.lease_holder}, ":seen": {"N": str(state.signals)}}
        return change, "attribute_not_exists(incident_id) AND lease_holder = :check AND signals <= :seen", values | lease
    condition = "attribute_not_exists(incident_id) AND attribute_not_exists(lease_holder) AND attribute_not_exists(signals)"
    if state.known_good_at is None:
        return change, f"{condition} AND attribute_not_exists(known_good_at)", values
    return change, f"{condition} AND known_good_at = :known", values | {":known": time(state.known_good_at)}


def release_lease(state: IdleState, forget: datetime | None) -> Update:
    """Release the lease. Signals stay for the next check; with `forget`, the row expires a day after that time."""
    values: dict[str, Any] = {":check": {"S": state.lease_holder}}
    change = "REMOVE lease_holder, lease_since"
    if forget:
        change += f", signals, latest_request, latest_refusal, requirements SET {EXPIRES_AT} = :expires"
        values[":expires"] = {"N": str(int((forget + IDLE_STATE_RETENTION).timestamp()))}
    return change, "attribute_not_exists(incident_id) AND lease_holder = :check", values
