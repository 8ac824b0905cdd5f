"""The dependencies of a check."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from lambdas.application.readers import Readers
from lambdas.contract.environment import Environment
from lambdas.domain.ports import ChecksPort, EventsPort, IncidentsPort, LogPort, MetricsPort, RemediatorPort


@dataclass(frozen=True, kw_only=True)
class CheckDependencies:
    """Ports, environment and clock of a check.

    `events` is the bus, and `checks` hands events to the checker without it. `readers` may answer from a cache; `uncached_readers` do not.
    `last_sweep_checks` holds, by target, when this process last made a sweep's check; `last_refusals` holds, by principal and call, when it
    last checked a refused call.
    """

    readers: Readers
    uncached_readers: Readers
    incidents: IncidentsPort
    remediator: RemediatorPort
    events: EventsPort
    checks: ChecksPort
    metrics: MetricsPort
    log: LogPort
    environment: Environment
    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    last_sweep_checks: dict[str, datetime] = field(default_factory=dict)
    last_refusals: dict[str, datetime] = field(default_factory=dict)
