"""What the bodies of the steps work with: the incident, the outside, its clock, and patience with both."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

from lambdas.application.assessment import PolicySources
from lambdas.application.readers import Readers
from lambdas.application.workflow_steps import Json
from lambdas.contract.environment import Environment
from lambdas.domain.errors import Busy, NotFound, TransientError
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.ports import ClusterPort, EventsPort, IncidentsPort, LogPort, MetricsPort, NotifierPort
from lambdas.domain.snapshot.snapshot import ClusterFacts, PodFacts

TRIES: Final = 4
"""Attempts within one step at what may succeed in a moment; beyond that the step says so, and the workflow waits."""
LONGEST_PAUSE_S: Final = 5.0
LONGEST_WORDS: Final = 300
"""Characters of an error that a checkpoint keeps."""

Result = TypeVar("Result")


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(kw_only=True)
class StepContext:
    """Everything the steps of one incident work with. `now` and `sleep` are the outside's clock, replaced in tests."""

    incident: Incident
    readers: Readers
    policy_sources: PolicySources
    incidents: IncidentsPort
    notifier: NotifierPort
    events: EventsPort
    metrics: MetricsPort
    log: LogPort
    environment: Environment
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], None] = time.sleep

    def at(self) -> str:
        """Now, as results have it."""
        return self.now().isoformat()

    def failed(self, title: str, error: Exception) -> Json:
        """What a step says of an error that may pass; logged under this title."""
        self.log(title, str(error), incident=self.incident.id, error=error)
        return {"words": str(error)[:LONGEST_WORDS], "at": self.at()}

    def patiently(self, call: Callable[[], Result]) -> Result:
        """Try again what may succeed in a moment: boundedly, later each time, at random so that many do not march in step.

        Raises:
            Busy: at once: what is busy stays so for longer than a step should wait.
            TransientError: after the last try.
        """
        for attempt in range(1, TRIES):
            try:
                return call()
            except Busy:
                raise
            except TransientError as error:
                self.sleep(_backoff_s(attempt, error.retry_after_s))
        return call()

    def cluster(self) -> ClusterPort:
        """The incident's cluster, with a login.

        Raises:
            NotFound: it is gone.
        """
        facts = self.readers.eks.cluster(self.incident.target.cluster)
        if not isinstance(facts, ClusterFacts):
            raise NotFound(f"cluster {self.incident.target.cluster} is gone")
        return self.readers.clusters.login(facts)

    def pods(self, node: str = "") -> tuple[PodFacts, ...]:
        """The pods of the ServiceAccount, or those of them on one node, read patiently."""
        target = self.incident.target
        return self.patiently(lambda: self.cluster().pods(target.namespace, target.name, node))


def _backoff_s(attempt: int, asked_s: float | None) -> float:
    jitter = random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, guards nothing
    grown = min(LONGEST_PAUSE_S, 0.2 * float(2**attempt)) * jitter
    return max(min(asked_s or 0.0, LONGEST_PAUSE_S), grown)
