"""The dependencies of the workflow's steps, and bounded retries."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from lambdas.application.assessment import PolicySources
from lambdas.application.readers import Readers
from lambdas.contract.environment import Environment
from lambdas.domain.errors import Busy, NotFound, TransientError
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.ports import ClusterPort, EventsPort, IncidentsPort, LogPort, MetricsPort, NotifierPort
from lambdas.domain.snapshot.snapshot import ClusterFacts, PodFacts

ATTEMPTS: Final = 4
"""Attempts of one call within a step. After the last one the step returns, and the workflow waits before it runs the step again."""
MAX_PAUSE_S: Final = 5.0
MAX_ERROR_LENGTH: Final = 300
"""Characters of an error that a checkpoint keeps."""

T = TypeVar("T")


@dataclass(kw_only=True)
class StepContext:
    """The dependencies of the steps of one incident.

    `now` is the clock (aware UTC), `sleep` takes seconds, and `jitter` returns a factor from 0.5 to 1 that spreads retries.
    """

    incident: Incident
    readers: Readers
    policy_sources: PolicySources
    incidents: IncidentsPort
    notifier: NotifierPort
    events: EventsPort
    metrics: MetricsPort
    log: LogPort
    environment: Environment
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]

    def retry(self, call: Callable[[], T]) -> T:
        """The result of the call; a transient error is retried a few times, each time after a longer pause.

        Raises:
            Busy: at once, since the resource stays busy for longer than a step should wait.
            TransientError: after the last attempt.
        """
        for attempt in range(1, ATTEMPTS):
            try:
                return call()
            except Busy:
                raise
            except TransientError as error:
                self.sleep(self._pause_s(attempt, error.retry_after_s))
        return call()

    def _pause_s(self, attempt: int, retry_after_s: float | None) -> float:
        backoff_s = min(MAX_PAUSE_S, 0.2 * float(2**attempt)) * self.jitter()
        return max(min(retry_after_s or 0.0, MAX_PAUSE_S), backoff_s)

    def cluster(self) -> ClusterPort:
        """A client of the incident's cluster, logged in.

        Raises:
            NotFound: the cluster does not exist.
        """
        facts = self.readers.eks.cluster(self.incident.target.cluster)
        if not isinstance(facts, ClusterFacts):
            raise NotFound(f"cluster {self.incident.target.cluster} does not exist")
        return self.readers.clusters.login(facts)

    def pods(self, node: str = "") -> tuple[PodFacts, ...]:
        """The pods of the ServiceAccount; with `node`, those on that node."""
        target = self.incident.target
        return self.retry(lambda: self.cluster().pods(target.namespace, target.name, node))

    def log_error(self, title: str, error: Exception) -> str:
        """Log an error under this title. Returns its text, cut to the length that a checkpoint keeps."""
        self.log(title, str(error), incident=self.incident.id, error=error)
        return str(error)[:MAX_ERROR_LENGTH]
