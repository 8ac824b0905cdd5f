"""What an audit log tells: nodes that are not Ready, and identities that someone changed. One batch is one window."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.audit.identity import IdentityChange, Watched, changes_of
from lambdas.domain.audit.nodes import NodeCause, NodeSign, sign_of
from lambdas.domain.audit.record import write_of
from lambdas.domain.outgoing import Outgoing, identity_changed, node_not_ready
from lambdas.domain.request import Actor

__all__ = ["ChangedIdentity", "Findings", "NodeCause", "UnreadyNodes", "Watched", "events", "findings"]


@dataclass(frozen=True, kw_only=True)
class UnreadyNodes:
    """Nodes with one cause in common, by name; `since` is the first sign, `at` the last."""

    cause: NodeCause
    nodes: tuple[str, ...]
    since: datetime
    at: datetime


@dataclass(frozen=True, kw_only=True)
class ChangedIdentity:
    """Writes of others to one ServiceAccount or its workload; `actor` is who wrote last."""

    watched: Watched
    changes: int
    actor: Actor
    at: datetime


@dataclass(frozen=True)
class Findings:
    """What one batch held, ordered by cause and by name."""

    nodes: tuple[UnreadyNodes, ...] = ()
    identities: tuple[ChangedIdentity, ...] = ()


def findings(records: Iterable[object], *, watching: Collection[Watched], our_roles: Collection[str]) -> Findings:
    """Find what matters in parsed audit records, in whatever order they come.

    Args:
        records: parsed JSON; what is no audit record is passed over.
        watching: the ServiceAccounts to look after.
        our_roles: ARNs of our roles, whose own writes are no news.
    """
    signs: dict[NodeCause, list[NodeSign]] = {}
    changes: dict[Watched, list[IdentityChange]] = {}
    for record in records:
        write = write_of(record)
        if write is None:
            continue
        if sign := sign_of(write):
            signs.setdefault(sign.cause, []).append(sign)
        for change in changes_of(write, watching, our_roles):
            changes.setdefault(change.watched, []).append(change)
    return Findings(
        nodes=tuple(_unready(cause, signs[cause]) for cause in NodeCause if cause in signs),
        identities=tuple(_changed(it, changes[it]) for it in sorted(changes, key=lambda it: (it.namespace, it.service_account))),
    )


def events(found: Findings, cluster: str) -> tuple[Outgoing, ...]:
    """One event for each cause and for each changed identity."""
    return (
        *(
            node_not_ready(cluster, cause=it.cause.value, nodes=it.nodes, count=len(it.nodes), since=it.since, occurred_at=it.at)
            for it in found.nodes
        ),
        *(
            identity_changed(
                ServiceAccountRef(cluster, it.watched.namespace, it.watched.service_account),
                actor=it.actor,
                changes=it.changes,
                occurred_at=it.at,
            )
            for it in found.identities
        ),
    )


def _unready(cause: NodeCause, signs: list[NodeSign]) -> UnreadyNodes:
    times = [it.at for it in signs]
    return UnreadyNodes(cause=cause, nodes=tuple(sorted({it.node for it in signs})), since=min(times), at=max(times))


def _changed(watched: Watched, changes: list[IdentityChange]) -> ChangedIdentity:
    timed = [(it.actor.at, it.actor) for it in changes if it.actor.at]
    at, actor = max(timed, key=lambda it: (it[0], it[1].who, it[1].what, it[1].agent))  # the names settle a tie, so that order does not
    return ChangedIdentity(watched=watched, changes=len(changes), actor=actor, at=at)
