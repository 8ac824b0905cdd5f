"""What a check works with."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lambdas.application.readers import Readers
from lambdas.contract.environment import Environment
from lambdas.domain.ports import EventsPort, IncidentsPort, LogPort, MetricsPort, RemediatorPort

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The outside, with `now` and `sleep` for its clock.

    `fresh` remembers nothing, where `readers` remember what they have read for a while; `swept` is when a sweep last had something checked.
    """

    readers: Readers
    fresh: Readers
    incidents: IncidentsPort
    remediator: RemediatorPort
    events: EventsPort
    metrics: MetricsPort
    log: LogPort
    environment: Environment
    now: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep
    swept: dict[str, datetime] = field(default_factory=dict)
