"""From one batch of audit records to our events on the bus: unpack, find, send."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from lambdas.contract.audit import STREAM_PREFIX, cluster_of
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.audit import Findings, Watched, findings
from lambdas.domain.audit.identity import watched
from lambdas.domain.audit.prefilter import prefilter
from lambdas.domain.errors import RemediatorError
from lambdas.domain.ports import EventsPort, ParametersPort
from lambdas.domain.snapshot.bindings import bound_targets
from lambdas.node_watcher.log_batch import Loads, open_batch
from lambdas.notifications.published_events import PublishedEvent, identity_changed, node_not_ready

_DATA: Final = "DATA_MESSAGE"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What the watcher asks of the outside. `loads` parses JSON and raises ValueError; `warn` logs a sentence."""

    parameters: ParametersPort
    bus: EventsPort
    loads: Loads
    warn: Callable[[str], None]


def watch(event: object, ports: Ports, *, account: str, our_roles: tuple[str, ...]) -> dict[str, Any]:
    """Send an event for each cause of NotReady nodes and each identity that someone changed. Returns what was done, in numbers.

    Raises:
        MalformedEvent: the invocation is none by a CloudWatch Logs subscription, or its data is damaged.
        TransientError: the bus did not take every event; the same batch again sends them all again, which does no harm.
    """
    batch = open_batch(event, ports.loads)
    cluster = cluster_of(batch.log_group)
    if batch.message_type != _DATA or batch.owner != account or cluster is None or not batch.log_stream.startswith(STREAM_PREFIX):
        return {"ignored": True, "messageType": batch.message_type[:40]}
    watching = _watching(ports, cluster)
    found = findings(batch.records(prefilter(watching), ports.loads), watching=watching, our_roles=our_roles)
    outgoing = events(found, cluster)
    if outgoing:
        ports.bus.put(outgoing)
    return {"cluster": cluster, **asdict(batch.counts), "sent": len(outgoing)}


def _watching(ports: Ports, cluster: str) -> tuple[Watched, ...]:
    """What the bindings name for this cluster, or what we know by name where they cannot be read: a hint too few is better than none."""
    try:
        paths = ports.parameters.load(cluster)
    except RemediatorError as error:
        ports.warn(f"bindings could not be read, so only well-known ServiceAccounts are watched: {error}")
        paths = {}
    return watched({(bound_target.namespace, bound_target.name) for bound_target in bound_targets(paths, [cluster])})


def events(found: Findings, cluster: str) -> tuple[PublishedEvent, ...]:
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
