"""Findings in an audit log: nodes that are not Ready, ServiceAccounts that were changed, and pods that a webhook missed.

A batch is one time window.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from lambdas.domain.audit.identity import WatchedServiceAccount, actor_of, changed_by, role_effect, role_of
from lambdas.domain.audit.nodes import NodeCause, NodeSignal, node_signal
from lambdas.domain.audit.record import Write, parse_write
from lambdas.domain.audit.webhooks import SkippedPods, owner_of, skipped_webhooks
from lambdas.domain.requests.request import Actor, RoleEffect

__all__ = ["ChangedIdentity", "Findings", "NodeCause", "UnreadyNodes", "WatchedServiceAccount", "findings"]


@dataclass(frozen=True, kw_only=True)
class UnreadyNodes:
    """Nodes with the same cause, by name. `since` is the time of the first sign, `at` of the last."""

    cause: NodeCause
    nodes: tuple[str, ...]
    since: datetime
    at: datetime


@dataclass(frozen=True, kw_only=True)
class ChangedIdentity:
    """Writes of others to one ServiceAccount or its workload, or pods that were created while a webhook failed open.

    `actor` made the last write. One that is known to have changed the role, or to have left it out, precedes it; a write to the
    ServiceAccount or workload counts before a created pod. `at` is the time of the last write.
    """

    watched: WatchedServiceAccount
    changes: int
    actor: Actor
    at: datetime


@dataclass(frozen=True)
class Findings:
    """The findings of one batch, ordered by cause and name."""

    nodes: tuple[UnreadyNodes, ...] = ()
    identities: tuple[ChangedIdentity, ...] = ()


def findings(records: Iterable[object], *, watching: Collection[WatchedServiceAccount], our_roles: Collection[str]) -> Findings:
    """Find relevant writes in parsed audit records of any order.

    Args:
        records: parsed JSON; other JSON than audit records is ignored.
        watching: the ServiceAccounts to watch.
        our_roles: ARNs of the stack's roles, whose writes are ignored.
    """
    nodes: defaultdict[NodeCause, _Signs] = defaultdict(_Signs)
    changes: dict[tuple[str, str], _Changes] = {}
    skipped: dict[tuple[str, str], SkippedPods] = {}
    ours = frozenset(role for arn in our_roles if (role := role_of(arn)))
    for record in records:
        write = parse_write(record)
        if write is None:
            continue
        if sign := node_signal(write):
            nodes[sign.cause].add(sign)
        if (webhooks := skipped_webhooks(write)) and (owner := owner_of(write, watching)):
            skipped.setdefault((owner.namespace, owner.service_account), SkippedPods(owner, write)).add(write, webhooks)
        for one in changed_by(write, watching, ours):
            name = one.namespace, one.service_account
            if name not in changes:
                changes[name] = _Changes(one, write)
            changes[name].add(write)
    return Findings(
        nodes=tuple(nodes[cause].found(cause) for cause in NodeCause if cause in nodes),
        identities=tuple(
            changes[name].found() if name in changes else _created_without_webhook(skipped[name]) for name in sorted({*changes, *skipped})
        ),
    )


def _created_without_webhook(pods: SkippedPods) -> ChangedIdentity:
    return ChangedIdentity(watched=pods.watched, changes=pods.count, actor=pods.actor, at=pods.last.at)


_ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
_NEVER_YET: Final = datetime.max.replace(tzinfo=UTC)


@dataclass
class _Signs:
    """The signs of one cause, limited to what the event needs."""

    names: set[str] = field(default_factory=set)
    since: datetime = _NEVER_YET
    at: datetime = _ALWAYS

    def add(self, sign: NodeSignal) -> None:
        self.names.add(sign.node)
        self.since = min(self.since, sign.at)
        self.at = max(self.at, sign.at)

    def found(self, cause: NodeCause) -> UnreadyNodes:
        return UnreadyNodes(cause=cause, nodes=tuple(sorted(self.names)), since=self.since, at=self.at)


@dataclass
class _Changes:
    """The writes to one identity: their number, the time of the last one, and the one that the event names."""

    watched: WatchedServiceAccount
    named: Write
    at: datetime = _ALWAYS
    count: int = 0

    def add(self, write: Write) -> None:
        self.count += 1
        self.at = max(self.at, write.at)
        if _order(write) > _order(self.named):
            self.named = write

    def found(self) -> ChangedIdentity:
        return ChangedIdentity(watched=self.watched, changes=self.count, actor=actor_of(self.named), at=self.at)


def _order(write: Write) -> tuple[int, datetime, str, str, str]:
    """The write that the event names is the highest: one that changed the role, then one that left it out, then the latest.

    Names break the tie between writes at the same time, so that the order of records does not matter.
    """
    actor = actor_of(write)
    return _CONCERN.get(role_effect(write), 0), write.at, actor.who, actor.what, actor.agent


_CONCERN: Final = {RoleEffect.CHANGED: 2, RoleEffect.KEPT: 1}
"""Effects on the role that outweigh a later write without one."""
