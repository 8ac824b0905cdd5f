"""One fake per port over one `World`. They keep state, and tests read that state."""

from cli.clients.local_incidents import Row
from tests.fakes.aws import FakeEks, FakeIam, FakeParameters
from tests.fakes.cluster import FakeCluster, FakeClusters
from tests.fakes.readers import readers_over
from tests.fakes.services import (
    ENVIRONMENT,
    FakeCalendar,
    FakeChecks,
    FakeEvents,
    FakeIncidents,
    FakeLog,
    FakeMetrics,
    FakeNotifier,
    FakeRemediator,
)

__all__ = [
    "ENVIRONMENT",
    "FakeCalendar",
    "FakeChecks",
    "FakeCluster",
    "FakeClusters",
    "FakeEks",
    "FakeEvents",
    "FakeIam",
    "FakeIncidents",
    "FakeLog",
    "FakeMetrics",
    "FakeNotifier",
    "FakeParameters",
    "FakeRemediator",
    "Row",
    "readers_over",
]
