"""Reads one batch of audit records and publishes an event for each finding."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

from lambdas.contract.audit import STREAM_PREFIX, cluster_of
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.audit import Findings, WatchedServiceAccount, findings
from lambdas.domain.audit.identity import watched
from lambdas.domain.audit.prefilter import prefilter
from lambdas.domain.errors import RemediatorError
from lambdas.domain.ports import EventsPort, ParametersPort
from lambdas.domain.snapshot.bindings import bound_targets
from lambdas.node_watcher.log_batch import JsonParser, open_batch
from lambdas.notifications.published_events import PublishedEvent, identity_changed, node_not_ready

_DATA_MESSAGE: Final = "DATA_MESSAGE"


@dataclass(frozen=True, kw_only=True)
class WatcherDependencies:
    """The dependencies of the node watcher. `parse_json` raises ValueError for invalid JSON; `warn` logs a sentence."""

    parameters: ParametersPort
    bus: EventsPort
    parse_json: JsonParser
    warn: Callable[[str], None]


@dataclass(frozen=True)
class BatchIgnored:
    """The batch is not the audit log of a cluster of this account."""

    message_type: str


@dataclass(frozen=True, kw_only=True)
class BatchRead:
    """The counts of the batch's log events, see `BatchCounts`, and the number of events `sent` for them."""

    cluster: str
    events: int
    parsed: int
    malformed: int
    too_long: int
    bytes: int
    sent: int


def publish_findings(
    event: object, dependencies: WatcherDependencies, *, account: str, our_roles: tuple[str, ...]
) -> BatchIgnored | BatchRead:
    """Publish an event for each cause of NotReady nodes and each changed identity.

    Raises:
        MalformedEvent: the event is not from a CloudWatch Logs subscription, or its data is damaged.
        TransientError: the bus rejected some events. A retry of the batch publishes all of them again, which is harmless.
    """
    batch = open_batch(event, dependencies.parse_json)
    cluster = cluster_of(batch.log_group)
    if batch.message_type != _DATA_MESSAGE or batch.owner != account or cluster is None or not batch.log_stream.startswith(STREAM_PREFIX):
        return BatchIgnored(batch.message_type[:40])
    watching = _watched_identities(dependencies, cluster)
    found = findings(batch.records(prefilter(watching), dependencies.parse_json), watching=watching, our_roles=our_roles)
    published = events_of(found, cluster)
    if published:
        dependencies.bus.put(published)
    return BatchRead(cluster=cluster, sent=len(published), **asdict(batch.counts))


def _watched_identities(dependencies: WatcherDependencies, cluster: str) -> tuple[WatchedServiceAccount, ...]:
    """The bound ServiceAccounts of the cluster and the well-known ones; only the latter if the bindings cannot be read."""
    try:
        paths = dependencies.parameters.load(cluster)
    except RemediatorError as error:
        dependencies.warn(f"bindings could not be read, so only well-known ServiceAccounts are watched: {error}")
        paths = {}
    return watched({(target.namespace, target.name) for target in bound_targets(paths, [cluster])})


def events_of(found: Findings, cluster: str) -> tuple[PublishedEvent, ...]:
    """One event for each cause and for each changed identity."""
    return (
        *(
            node_not_ready(cluster, cause=node.cause.value, nodes=node.nodes, count=len(node.nodes), since=node.since, occurred_at=node.at)
            for node in found.nodes
        ),
        *(
            identity_changed(
                ServiceAccountRef(cluster, identity.watched.namespace, identity.watched.service_account),
                actor=identity.actor,
                changes=identity.changes,
                occurred_at=identity.at,
            )
            for identity in found.identities
        ),
    )
