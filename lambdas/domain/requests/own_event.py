"""Our own events: from the node watcher, from the sweep, or a request for a check.

    {"version": "0", "id": "…", "detail-type": "Node Not Ready", "source": "eks-irsa-remediator", "account": "111122223333",
     "time": "2026-09-27T21:06:47Z", "region": "eu-west-1", "resources": [],
     "detail": {"schemaVersion": "1", "cluster": "prod-blue", "cause": "network-plugin-not-ready", "count": 3,
                "nodes": ["ip-10-0-1-7.eu-west-1.compute.internal", …], "since": "2026-09-27T21:05:58Z",
                "occurredAt": "2026-09-27T21:06:40Z"}}

`docs/events` has a JSON Schema for each. A field more than the schema knows is let pass, and a field that only adds words may be missing.
"""

from typing import Any, Final

from lambdas.contract.events import OUTGOING, SCHEMA_VERSION, OwnEvent
from lambdas.contract.self_test import NONCE
from lambdas.domain.errors import MalformedEvent
from lambdas.domain.requests.envelope import Envelope
from lambdas.domain.requests.request import Actor, CheckRequest, DeliveryTest, DigestDue, Ignored, RoleEffect, Sweep, Trigger
from lambdas.domain.untrusted_json import cluster_name, event_id, inside, kind_of, label, moment, node_name, service_account, text

_FIXED_TRIGGERS: Final = {OwnEvent.NODE_NOT_READY: Trigger.NODE_NOT_READY, OwnEvent.IDENTITY_CHANGED: Trigger.IDENTITY_CHANGED}


def parse(event: Envelope) -> CheckRequest | Ignored | Sweep | DigestDue | DeliveryTest:
    """The request that the event makes.

    Raises:
        MalformedEvent: it is of a later schema, or lacks what its schema requires.
    """
    if event.kind in OUTGOING:
        return Ignored(f"{event.kind} is our own announcement")
    if event.kind == OwnEvent.SWEEP:
        return Sweep(event.at)
    if event.kind == OwnEvent.DIGEST:
        return DigestDue(event.at)
    if event.kind not in (*_FIXED_TRIGGERS, OwnEvent.CHECK_REQUESTED, OwnEvent.DELIVERY_TEST):
        return Ignored(f"we send no event called {label(event.kind)}")
    version = event.detail.get("schemaVersion", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        raise MalformedEvent(f"{event.kind} is of schema {label(version) or kind_of(version)}; this version reads {SCHEMA_VERSION}")
    return _delivery_test(event) if event.kind == OwnEvent.DELIVERY_TEST else _request(event, OwnEvent(event.kind))


def _request(event: Envelope, kind: OwnEvent) -> CheckRequest:
    cluster = event.detail.get("cluster")
    for_all = kind is OwnEvent.CHECK_REQUESTED and cluster is None
    account = event.detail.get("serviceAccount")
    return CheckRequest(
        trigger=_FIXED_TRIGGERS.get(kind) or _trigger(event.detail.get("trigger", Trigger.PERSON)),
        occurred_at=min(moment(event.detail.get("occurredAt")) or event.at, event.arrived_at),
        event_id=event_id(event.detail.get("eventId")) or event.id,
        cluster=None if for_all else cluster_name(cluster, "detail.cluster"),
        service_account=service_account(inside(account, "namespace"), inside(account, "name")) if account is not None else None,
        node=_node(event),
        actor=_actor(event.detail.get("actor")),
        may_be_forged=True,
    )


def _delivery_test(event: Envelope) -> DeliveryTest:
    nonce = text(event.detail, "nonce")
    if not NONCE.match(nonce):
        raise MalformedEvent("detail.nonce should be 32 hexadecimal digits")
    return DeliveryTest(nonce)


def _trigger(value: object) -> Trigger:
    try:
        return Trigger(str(value) if isinstance(value, str) else "")
    except ValueError:
        raise MalformedEvent(f"detail.trigger is {label(value) or kind_of(value)!r}, which is no trigger") from None


def _node(event: Envelope) -> str | None:
    if node := node_name(event.detail.get("node")):
        return node
    nodes = event.detail.get("nodes")
    return node_name(nodes[0]) if isinstance(nodes, list) and nodes else None


def _actor(value: Any) -> Actor | None:
    who, what = label(text(value, "who")), label(text(value, "what"))
    if not who:
        return None
    return Actor(
        who=who,
        what=what,
        agent=label(text(value, "agent")),
        at=moment(text(value, "at")),
        address=label(text(value, "address")),
        addon_version=label(text(value, "addonVersion")),
        effect=RoleEffect.parse(text(value, "effect")),
    )
