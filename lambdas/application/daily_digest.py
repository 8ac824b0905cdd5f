"""The digest as a durable execution: read the day, and tell it once, patiently where the table or the topics do not answer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from lambdas.application.assessment import collect_and_diagnose
from lambdas.application.readers import Hints, Readers
from lambdas.application.workflow_steps import Json, PollSchedule, Steps
from lambdas.contract.environment import Environment
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.errors import RemediatorError, TransientError
from lambdas.domain.incidents.daily_digest import DAY, Day, StillOpen
from lambdas.domain.ports import IncidentsPort, LogPort, NotifierPort
from lambdas.domain.snapshot.bindings import Parameter, bound_targets
from lambdas.notifications.daily_digest import digest_message

PATIENCE: Final = PollSchedule(timeout_s=6 * 3600, first_s=5, most_s=600)
"""How long to try to tell of a day; later than that the next day's digest is nearer."""

MOST_ASSESSED: Final = 20
"""Open incidents that the digest assesses. More open incidents are usually one fault of many clusters."""


@dataclass(frozen=True, kw_only=True)
class DigestDependencies:
    """What a digest is read and told with. `now` is the clock of what is still open."""

    readers: Readers
    incidents: IncidentsPort
    notifier: NotifierPort
    log: LogPort
    environment: Environment
    now: Callable[[], datetime]


def sum_up(asked: Json, steps: Steps, dependencies: DigestDependencies) -> Json:
    """Tell of the day that ends `until` in these `clusters`, if it has anything to tell. Returns the outcome for the execution's record."""
    until = datetime.fromisoformat(asked["until"])
    state = steps.until("digest", lambda _: _told(until, asked["clusters"], dependencies), lambda item: "sent" in item, PATIENCE)
    return {"digest": asked["until"], **state}


def _told(until: datetime, clusters: Sequence[str], dependencies: DigestDependencies) -> Json:
    try:
        parameters = dependencies.readers.parameters.load()
        day = summarize_day(until, clusters, parameters, dependencies.incidents, partial(_what_is_broken, dependencies=dependencies))
        return _send(day, dependencies)
    except TransientError as error:
        dependencies.log("report", f"the digest has to wait: {error}", error=error)
        return {"failed": str(error)[:300]}
    except RemediatorError as error:
        dependencies.log("report", f"no digest: {error}", error=error)
        return {"sent": False, "failed": str(error)[:300]}


def _send(day: Day, dependencies: DigestDependencies) -> Json:
    counts = {"closed": len(day.closed), "open": len(day.still_open)}
    if day.quiet:
        dependencies.log("report", f"nothing to sum up in {day.clusters} clusters")
        return {"sent": False, **counts}
    written = digest_message(day, environment=dependencies.environment)
    dependencies.notifier.send(written)
    dependencies.log("report", written.subject, **counts)
    return {"sent": True, **counts}


def _what_is_broken(target: ServiceAccountRef, dependencies: DigestDependencies) -> str:
    """A sentence from a fresh look; empty where nothing can be read: a digest is worth telling without it."""
    try:
        _, found = collect_and_diagnose(target, dependencies.readers, dependencies.now(), Hints(), symptoms=False)
    except RemediatorError as error:
        dependencies.log("snapshot", str(error), target=target.key, error=error)
        return ""
    return "" if found.is_healthy else found.broken[0].sentence


def summarize_day(
    until: datetime,
    clusters: Iterable[str],
    parameters: Mapping[str, Parameter],
    incidents: IncidentsPort,
    assess: Callable[[ServiceAccountRef], str],
) -> Day:
    """Read the day of every bound ServiceAccount of the clusters, and of aws-node, which is checked without a binding too.

    Args:
        assess: returns what is broken now, in a sentence; called for the first `MOST_ASSESSED` open incidents.

    Raises:
        TransientError: the table did not answer.
    """
    names = list(clusters)
    aws_nodes = {ServiceAccountRef(name, AWS_NODE.namespace, AWS_NODE.service_account) for name in names}
    targets = sorted(aws_nodes | set(bound_targets(parameters, names)))
    closed = [past for target in targets for past in incidents.history(target, until - DAY) if past.closed_at < until]
    still_open = sorted(
        (incident for target in targets if (incident := incidents.get(target))), key=lambda incident: (incident.opened_at, incident.id)
    )
    return Day(
        until=until,
        clusters=len(names),
        closed=tuple(sorted(closed, key=lambda past: (past.closed_at, past.id), reverse=True)),
        still_open=tuple(
            StillOpen(incident=incident, sentence=assess(incident.target) if index < MOST_ASSESSED else "")
            for index, incident in enumerate(still_open)
        ),
    )
