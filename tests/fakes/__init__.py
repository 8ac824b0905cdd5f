"""One fake per port over one `World`. They keep state, and tests read that state."""

from cli.clients.local_incidents import Row
from tests.fakes.aws import FakeEks, FakeIam, FakeParameters
from tests.fakes.cluster import FakeCluster, FakeClusters
from tests.fakes.deployment import ENVIRONMENT
from tests.fakes.incidents import FakeIncidents
from tests.fakes.outgoing import FakeCalendar, FakeEvents, FakeNotifier, FakeRemediator
from tests.fakes.reading import readers_over
from tests.fakes.telling import FakeLog, FakeMetrics

__all__ = [
    "ENVIRONMENT",
    "FakeCalendar",
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
