"""The events that the stack publishes: `(detail-type, detail)`, as the JSON Schemas in `docs/events` describe them."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from lambdas.contract.events import OUTGOING, SCHEMA_VERSION, OwnEvent
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.requests.request import Actor, CheckRequest, RoleEffect

PublishedEvent = tuple[str, Mapping[str, Any]]

MOST_NODE_NAMES: Final = 10
_MOST_LINES: Final = 50
_LONGEST_LINE: Final = 500
"""Two lists of 50 lines of 500 characters stay below the 256 KB of one event, even at four bytes a character.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
"""


def check_requested(request: CheckRequest, cluster: str | None = None) -> PublishedEvent:
    """The same request for one cluster, with its trigger, time and actor. Sweeps and `_default` bindings fan out this way."""
    narrowed = replace(request, cluster=cluster or request.cluster)
    namespace, name = narrowed.service_account or ("", "")
    return OwnEvent.CHECK_REQUESTED.value, _without_empty(
        {
            "schemaVersion": SCHEMA_VERSION,
            "trigger": narrowed.trigger.value,
            "occurredAt": _time(narrowed.occurred_at),
            "eventId": narrowed.event_id,
            "cluster": narrowed.cluster,
            "serviceAccount": {"namespace": namespace, "name": name} if narrowed.service_account else None,
            "node": narrowed.node,
            "actor": _actor(narrowed.actor),
        }
    )


def node_not_ready(cluster: str, *, cause: str, nodes: Iterable[str], count: int, since: datetime, occurred_at: datetime) -> PublishedEvent:
    """Nodes of one cluster that are not Ready for one cause. `nodes` are the first ones by name, `count` is the number of all.

    `since` is the time of the first record and `occurred_at` that of the latest one. A check that began before `occurred_at` does not
    answer the event.
    """
    return OwnEvent.NODE_NOT_READY.value, {
        "schemaVersion": SCHEMA_VERSION,
        "cluster": cluster,
        "cause": cause,
        "count": count,
        "nodes": list(nodes)[:MOST_NODE_NAMES],
        "since": _time(since),
        "occurredAt": _time(occurred_at),
    }


def identity_changed(target: ServiceAccountRef, *, actor: Actor, changes: int, occurred_at: datetime) -> PublishedEvent:
    """Writes to a ServiceAccount or its workload by others than the remediator: `changes` writes, the last one by `actor`."""
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
    unproven: Iterable[str] = (),
    next_steps: Iterable[str] = (),
    runbook: str = "",
) -> PublishedEvent:
    """The state of an incident, for pagers and tickets: started, verified, needs action, or blocked.

    Args:
        kind: one of `contract.events.OUTGOING`.
        target: the ServiceAccount.
        incident: the incident's id, the same in all events of one incident.
        verdict: the code of the diagnosis, such as `annotation-missing`.
        severity: `info`, `warning` or `critical`.
        summary: one sentence for a person.
        opened_at: the time of the first signal (aware).
        at: the time of this state (aware).
        changes: the writes so far, one line each.
        unproven: what was not shown about the role.
        next_steps: what a person has to do, one line each.
        runbook: the address of the runbook, or empty.

    Raises:
        ValueError: the kind does not describe an incident.
    """
    if kind not in OUTGOING:
        raise ValueError(f"{kind} does not describe an incident")
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
            "unproven": _lines(unproven),
            "nextSteps": _lines(next_steps),
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
    fields = {
        "who": actor.who,
        "what": actor.what,
        "agent": actor.agent,
        "address": actor.address,
        "addonVersion": actor.addon_version,
        "effect": "" if actor.effect is RoleEffect.NOT_KNOWN else actor.effect.value,
    }
    return {key: value for key, value in fields.items() if value} | ({"at": _time(actor.at)} if actor.at else {})


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    # Lists stay, so that consumers can rely on them. Other empty fields are left out instead of null.
    return {key: value for key, value in fields.items() if value not in (None, "")}
