"""The daily digest: reads the day of some clusters and sends one message about it, with retries."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from lambdas.application.readers import Hints, Readers
from lambdas.application.snapshot_diagnosis import collect_and_diagnose
from lambdas.application.workflow_steps import PollSchedule, StepId, StepPurpose, Steps
from lambdas.contract import metrics
from lambdas.contract.environment import Environment
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.errors import RemediatorError, TransientError
from lambdas.domain.incidents.daily_digest import DAY, Day, StillOpen
from lambdas.domain.ports import IncidentsPort, LogPort, MetricsPort, NotifierPort
from lambdas.domain.snapshot.bindings import Parameter, bound_targets
from lambdas.notifications.daily_digest import digest_message

SCHEDULE: Final = PollSchedule(timeout_s=6 * 3600, first_s=5, most_s=600)
"""How long a digest is tried. Later than that, the digest of the next day is more useful."""
MAX_ERROR_LENGTH: Final = 300
MOST_ASSESSED: Final = 20
"""Open incidents that the digest assesses. More open incidents are usually one fault of many clusters."""


@dataclass(frozen=True, kw_only=True)
class DigestRequest:
    """A digest of these clusters for the day that ends at `until`."""

    until: datetime
    clusters: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DigestResult:
    """What became of a digest; `is_sent` is False where the day has nothing to report, and None where the outside did not answer."""

    is_sent: bool | None = None
    closed: int = 0
    still_open: int = 0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class DigestDependencies:
    """What a digest is read through and sent with. `now` is the clock for the assessments of open incidents."""

    readers: Readers
    incidents: IncidentsPort
    notifier: NotifierPort
    log: LogPort
    metrics: MetricsPort
    environment: Environment
    now: Callable[[], datetime]


def send_digest(request: DigestRequest, steps: Steps, dependencies: DigestDependencies) -> DigestResult:
    """Send the digest, unless the day has nothing to report."""
    return steps.until(
        StepId(StepPurpose.DIGEST),
        DigestResult(),
        lambda _: _try_to_send(request, dependencies),
        lambda result: result.is_sent is not None,
        SCHEDULE,
    )


def _try_to_send(request: DigestRequest, dependencies: DigestDependencies) -> DigestResult:
    try:
        parameters = dependencies.readers.parameters.load()
        find_fault = partial(_find_fault, dependencies=dependencies)
        return _send(summarize_day(request.until, request.clusters, parameters, dependencies.incidents, find_fault), dependencies)
    except TransientError as error:
        dependencies.log("report", f"the digest is sent later: {error}", error=error)
        return DigestResult(error=str(error)[:MAX_ERROR_LENGTH])
    except RemediatorError as error:
        dependencies.log("report", f"no digest: {error}", error=error)
        return DigestResult(is_sent=False, error=str(error)[:MAX_ERROR_LENGTH])


def _send(day: Day, dependencies: DigestDependencies) -> DigestResult:
    if day.is_empty:
        dependencies.log("report", f"no incident to report in {day.clusters} clusters")
        return DigestResult(is_sent=False)
    message = digest_message(day, environment=dependencies.environment)
    try:
        dependencies.notifier.send(message)
    except RemediatorError:
        dependencies.metrics(metrics.NOTIFICATION_FAILURES, 1, channel="topics")
        raise
    result = DigestResult(is_sent=True, closed=len(day.closed), still_open=len(day.still_open))
    dependencies.log("report", message.subject, closed=result.closed, open=result.still_open)
    return result


def summarize_day(
    until: datetime,
    clusters: Iterable[str],
    parameters: Mapping[str, Parameter],
    incidents: IncidentsPort,
    find_fault: Callable[[ServiceAccountRef], str],
) -> Day:
    """The incidents of every bound ServiceAccount of the clusters, and of aws-node, which is checked without a binding too.

    Args:
        until: the end of the day (aware UTC).
        clusters: names of clusters.
        parameters: all parameters, `path -> parameter`.
        incidents: the open incidents and history.
        find_fault: what is broken now, in a sentence; called for the first open incidents only.

    Raises:
        TransientError: the table did not answer.
    """
    names = list(clusters)
    aws_nodes = {ServiceAccountRef(name, AWS_NODE.namespace, AWS_NODE.service_account) for name in names}
    targets = sorted(aws_nodes | set(bound_targets(parameters, names)))
    closed = [past for target in targets for past in incidents.history(target, until - DAY) if past.closed_at < until]
    opened = [incident for target in targets if (incident := incidents.get(target))]
    opened.sort(key=lambda incident: (incident.opened_at, incident.id))
    return Day(
        until=until,
        clusters=len(names),
        closed=tuple(sorted(closed, key=lambda past: (past.closed_at, past.id), reverse=True)),
        still_open=tuple(
            StillOpen(incident=incident, sentence=find_fault(incident.target) if number < MOST_ASSESSED else "")
            for number, incident in enumerate(opened)
        ),
    )


def _find_fault(target: ServiceAccountRef, dependencies: DigestDependencies) -> str:
    """The first broken link in a sentence; empty where nothing is broken or nothing can be read, since the digest is useful without it."""
    try:
        _, diagnosis = collect_and_diagnose(target, dependencies.readers, dependencies.now(), Hints(), symptoms=False, guards=True)
    except RemediatorError as error:
        dependencies.log("snapshot", str(error), target=target.key, error=error)
        return ""
    return "" if diagnosis.is_healthy else diagnosis.broken_findings[0].sentence
