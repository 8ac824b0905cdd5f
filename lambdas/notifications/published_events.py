"""The events that we send: `(detail-type, detail)`, as their JSON Schemas in `docs/events` describe them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from lambdas.contract.events import OUTGOING, SCHEMA_VERSION, OwnEvent
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.requests.request import Actor, CheckRequest

Outgoing = tuple[str, Mapping[str, Any]]

MOST_NODES_NAMED: Final = 10
_MOST_LINES: Final = 50
_LONGEST_LINE: Final = 500
"""Two lists of 50 lines of 500 characters stay below the 256 KB of one event, even at four bytes a character.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
"""


def check_requested(request: CheckRequest, cluster: str | None = None) -> Outgoing:
    """The same request for one cluster, keeping what made us look, when, and who did it: how a sweep or a `_default` binding fans out."""
    asked = replace(request, cluster=cluster or request.cluster)
    namespace, name = asked.service_account or ("", "")
    return OwnEvent.CHECK_REQUESTED.value, _without_empty(
        {
            "schemaVersion": SCHEMA_VERSION,
            "trigger": asked.trigger.value,
            "occurredAt": _time(asked.occurred_at),
            "eventId": asked.event_id,
            "cluster": asked.cluster,
            "serviceAccount": {"namespace": namespace, "name": name} if asked.service_account else None,
            "node": asked.node,
            "actor": _actor(asked.actor),
        }
    )


def node_not_ready(cluster: str, *, cause: str, nodes: Iterable[str], count: int, since: datetime, occurred_at: datetime) -> Outgoing:
    """Nodes of one cluster that are not Ready for one cause. `nodes` are the first ones by name; `count` is how many there are.

    `occurred_at` is the latest sign, so that a check made before it does not pass for the answer; `since` the first.
    """
    return OwnEvent.NODE_NOT_READY.value, {
        "schemaVersion": SCHEMA_VERSION,
        "cluster": cluster,
        "cause": cause,
        "count": count,
        "nodes": list(nodes)[:MOST_NODES_NAMED],
        "since": _time(since),
        "occurredAt": _time(occurred_at),
    }


def identity_changed(target: ServiceAccountRef, *, actor: Actor, changes: int, occurred_at: datetime) -> Outgoing:
    """Someone else wrote a ServiceAccount that we look after, or its workload: `changes` times, `actor` last."""
    return OwnEvent.IDENTITY_CHANGED.value, {
        "schemaVersion": SCHEMA_VERSION,
        "cluster": target.cluster,
        "serviceAccount": {"namespace": target.namespace, "name": target.name},
        "changes": changes,
        "actor": _actor(actor),
        "occurredAt": _time(occurred_at),
    }


def remediation(
    kind: OwnEvent,
    target: ServiceAccountRef,
    *,
    incident: str,
    verdict: str,
    severity: str,
    summary: str,
    opened_at: datetime,
    at: datetime,
    changes: Iterable[str] = (),
    left_for_you: Iterable[str] = (),
    runbook: str = "",
) -> Outgoing:
    """How an incident goes, for pagers and tickets: started, proven, needs you, or withheld.

    Args:
        kind: one of `contract.events.OUTGOING`.
        target: the ServiceAccount; the incident id is the same in all events of one incident.
        incident: its id.
        verdict: the diagnosis' code, such as `annotation-missing`.
        severity: `info`, `warning` or `critical`.
        summary: one sentence for a person.
        opened_at: the first signal (aware).
        at: when this was so (aware).
        changes: writes made so far, one line each.
        left_for_you: what a person has to do, one line each.
        runbook: link, or nothing.

    Raises:
        ValueError: the kind is none that tells of a remediation.
    """
    if kind not in OUTGOING:
        raise ValueError(f"{kind} does not tell of a remediation")
    return kind.value, _without_empty(
        {
            "schemaVersion": SCHEMA_VERSION,
            "incident": incident,
            "cluster": target.cluster,
            "serviceAccount": {"namespace": target.namespace, "name": target.name},
            "verdict": verdict,
            "severity": severity,
            "summary": summary[:_LONGEST_LINE],
            "openedAt": _time(opened_at),
            "occurredAt": _time(at),
            "changes": _lines(changes),
            "leftForYou": _lines(left_for_you),
            "runbook": runbook,
        }
    )


def _lines(lines: Iterable[str]) -> list[str]:
    return [line[:_LONGEST_LINE] for line in lines][:_MOST_LINES]


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _actor(actor: Actor | None) -> dict[str, str] | None:
    if actor is None:
        return None
    told = {"who": actor.who, "what": actor.what, "agent": actor.agent, "address": actor.address}
    return {key: value for key, value in told.items() if value} | ({"at": _time(actor.at)} if actor.at else {})


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    # Lists stay, so that whoever routes the event finds them always; what is absent is absent rather than null.
    return {key: value for key, value in fields.items() if value not in (None, "")}
