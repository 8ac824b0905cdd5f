"""Fakes of incidents, remediator, events, messages, calendars, metrics and log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.clients.local_incidents import LocalIncidents
from lambdas.adapters.lambda_functions import execution_name
from lambdas.contract.environment import Environment
from lambdas.domain.ports import CalendarPort, ChecksPort, EventsPort, IncidentsPort, NotifierPort, RemediatorPort
from tests.fakes.fault_injection import injects_faults
from tests.world import ACCOUNT, PARTITION, REGION, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lambdas.contract.metrics import Metric
    from lambdas.domain.incidents.incident import Incident
    from lambdas.domain.ports import Message


ENVIRONMENT = Environment(
    account=ACCOUNT,
    region=REGION,
    partition=PARTITION,
    incidents_table="incidents",
    remediator_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:remediator:live",
    chat_topic_arn=f"arn:aws:sns:{REGION}:{ACCOUNT}:chat",
    people_topic_arn=f"arn:aws:sns:{REGION}:{ACCOUNT}:people",
    event_bus="default",
    our_role_arns="",
    may_simulate="true",
)


@injects_faults(IncidentsPort, "incidents")
class FakeIncidents(LocalIncidents):
    """Incidents and history by ServiceAccount: tests read `rows`."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__()
        self._world = world or World()


@injects_faults(RemediatorPort, "remediator")
class FakeRemediator:
    """The durable function. `executions` are its states by ARN: RUNNING until a test changes them. `digests` are the requested days."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.executions: dict[str, str] = {}
        self.digests: dict[datetime, list[str]] = {}

    def start(self, incident: Incident) -> str:
        arn = f"{ENVIRONMENT.remediator_arn}/durable-execution/{execution_name(incident)}/1"
        self.executions.setdefault(arn, "RUNNING")
        return arn

    def start_digest(self, until: datetime, clusters: Sequence[str]) -> None:
        self.digests.setdefault(until, list(clusters))

    def running(self, execution_arn: str) -> bool:
        return self.executions.get(execution_arn) == "RUNNING"


@injects_faults(EventsPort, "events")
class FakeEvents:
    """The event bus. `sent` are `(detail-type, detail)` in order."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.sent: list[tuple[str, Mapping[str, Any]]] = []

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.sent.extend(events)


@injects_faults(ChecksPort, "checks")
class FakeChecks:
    """The checker, which it requests checks of. They arrive on the bus, as an event does. `requested` are the events in order."""

    def __init__(self, world: World | None = None, *, bus: FakeEvents) -> None:
        self._world = world or World()
        self._bus = bus
        self.requested: list[Mapping[str, Any]] = []

    def request(self, checks: Sequence[Mapping[str, Any]]) -> None:
        self.requested.extend(checks)
        self._bus.put([(check["detail-type"], check["detail"]) for check in checks])


@injects_faults(NotifierPort, "notifier")
class FakeNotifier:
    """Topics for chat and people. `sent` are the messages in order."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


@injects_faults(CalendarPort, "calendar")
class FakeCalendar:
    """Change calendars: `closed_until` by name; every other is open."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.closed_until: dict[str, datetime] = {}

    def opens_at(self, name: str, at: datetime) -> datetime | None:
        until = self.closed_until.get(name)
        return until if until and at < until else None


class FakeMetrics:
    """Metrics. `counted` are `(name, value, dimensions)` in order."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, float, dict[str, str]]] = []

    def __call__(self, metric: Metric, value: float = 1, **dimensions: str) -> None:
        assert set(dimensions) == set(metric.dimensions), f"{metric.name} has the dimensions {metric.dimensions}"
        self.counted.append((metric.name, value, dimensions))


class FakeLog:
    """The log. `lines` are `(title, message, fields)` in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __call__(self, title: str, message: str, **fields: Any) -> None:
        self.lines.append((str(title), message, fields))
