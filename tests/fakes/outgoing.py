"""What is started, sent and asked outside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.domain.ports import CalendarPort, EventsPort, NotifierPort, RemediatorPort
from tests.fakes.deployment import ENVIRONMENT
from tests.fakes.meeting import meets_troubles
from tests.world import World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lambdas.domain.incidents.incident import Incident
    from lambdas.domain.ports import Message


@meets_troubles(RemediatorPort, "remediator")
class FakeRemediator:
    """The durable function. `executions` are its states by ARN: RUNNING until a test says otherwise. `digests` are days asked for."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.executions: dict[str, str] = {}
        self.digests: dict[datetime, list[str]] = {}

    def start(self, incident: Incident) -> str:
        arn = f"{ENVIRONMENT.remediator_arn}/durable-execution/{incident.id}/1"
        self.executions.setdefault(arn, "RUNNING")
        return arn

    def start_digest(self, until: datetime, clusters: Sequence[str]) -> None:
        self.digests.setdefault(until, list(clusters))

    def running(self, execution_arn: str) -> bool:
        return self.executions.get(execution_arn) == "RUNNING"


@meets_troubles(EventsPort, "events")
class FakeEvents:
    """The event bus. `sent` are `(detail-type, detail)` in order."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.sent: list[tuple[str, Mapping[str, Any]]] = []

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        self.sent.extend(events)


@meets_troubles(NotifierPort, "notifier")
class FakeNotifier:
    """Topics for chat and people. `sent` are the messages in order."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


@meets_troubles(CalendarPort, "calendar")
class FakeCalendar:
    """Change calendars: `closed_until` by name; every other is open."""

    def __init__(self, world: World | None = None) -> None:
        self._world = world or World()
        self.closed_until: dict[str, datetime] = {}

    def opens_at(self, name: str, at: datetime) -> datetime | None:
        until = self.closed_until.get(name)
        return until if until and at < until else None
