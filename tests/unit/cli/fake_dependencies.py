"""Everything outside the command line in memory: the world's fakes, and one more for each port that only a person uses."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from cli.places import AuditLog, Entrance, Openings, Placement, WayOut

from cli.clients.dependencies import Dependencies
from lambdas.domain.errors import NotFound, RemediatorError
from lambdas.domain.snapshot.bindings import Parameter
from tests import fakes
from tests.fakes import FakeCalendar, FakeEks, FakeEvents, FakeIncidents, FakeNotifier, readers_over
from tests.world import ACCOUNT, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from lambdas.domain.incidents.incident import Incident, PastIncident

T = TypeVar("T")
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/oncall/jane"
ROLES = f"arn:aws:iam::{ACCOUNT}:role/checker,arn:aws:iam::{ACCOUNT}:role/remediator,arn:aws:iam::{ACCOUNT}:role/watcher"
ENVIRONMENT = replace(fakes.ENVIRONMENT, our_role_arns=ROLES)


class FakeParameterWriter:
    def __init__(self, world: World) -> None:
        self._world = world

    def put(self, path: str, value: str) -> None:
        self._world.meet("parameters.put")
        former = self._world.parameters.get(path)
        self._world.parameters[path] = Parameter(value=value, version=former.version + 1 if former else 1, changed_at=self._world.now)

    def delete(self, path: str) -> bool:
        self._world.meet("parameters.delete")
        return self._world.parameters.pop(path, None) is not None


class FakeIncidentList:
    def __init__(self, incidents: FakeIncidents) -> None:
        self._incidents = incidents

    def open(self) -> tuple[Incident, ...]:
        return tuple(row.incident for row in self._incidents.rows.values() if row.incident)

    def past(self, since: datetime) -> tuple[PastIncident, ...]:
        found = [item for row in self._incidents.rows.values() for item in row.past if item.closed_at >= since]
        return tuple(sorted(found, key=lambda item: item.closed_at, reverse=True))


class FakeApprovalCallbacks:
    """`waiting` are the callback ids that an execution waits for; `answers` what they were given."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.answers: dict[str, Mapping[str, Any]] = {}

    def answer(self, callback_id: str, result: Mapping[str, Any]) -> None:
        if callback_id not in self.waiting:
            raise NotFound("answer the execution that waits: CallbackTimeoutException the callback has ended")
        self.waiting.discard(callback_id)
        self.answers[callback_id] = result


@dataclass
class FakeClusterAccess:
    """`entries` are groups by role, `objects` by kind, namespace and name; `map_roles` is what aws-auth holds."""

    entries: dict[str, frozenset[str]] = field(default_factory=dict)
    objects: dict[tuple[str, str, str], Mapping[str, Any]] = field(default_factory=dict)
    map_roles: str | None = None

    def groups_of(self, cluster: str, role_arn: str) -> frozenset[str] | None:
        return self.entries.get(role_arn)

    def put_entry(self, cluster: str, role_arn: str, group: str) -> None:
        self.entries[role_arn] = (self.entries.get(role_arn) or frozenset()) | {group}

    def rules(self, cluster: str, manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return self.objects.get(_key(manifest))

    def apply(self, cluster: str, manifest: Mapping[str, Any]) -> None:
        self.objects[_key(manifest)] = manifest

    def aws_auth(self, cluster: str) -> str | None:
        return self.map_roles


def _key(manifest: Mapping[str, Any]) -> tuple[str, str, str]:
    metadata = manifest["metadata"]
    return manifest["kind"], metadata.get("namespace", ""), metadata["name"]


@dataclass
class FakeSurroundings:
    """A public endpoint and functions outside any VPC, unless a test says otherwise."""

    entered: Entrance = field(
        default_factory=lambda: Entrance(public_from=("0.0.0.0/0",), private=True, vpc="vpc-0a1b2c3d", security_groups=("sg-cluster",))
    )
    placed: Placement | RemediatorError | None = None
    opened: Openings = field(default_factory=Openings)
    ways: WayOut | RemediatorError = field(default_factory=lambda: WayOut(closed=(), services=frozenset(), ranges=()))

    def placement(self) -> Placement | None:
        return _or_raise(self.placed)

    def entrance(self, cluster: str) -> Entrance:
        return self.entered

    def openings(self, security_groups: Sequence[str]) -> Openings:
        assert tuple(security_groups) == self.entered.security_groups
        return self.opened

    def way_out(self, placement: Placement) -> WayOut:
        assert placement == self.placed
        return _or_raise(self.ways)


@dataclass
class FakeTriggerSources:
    """A trail that logs, and nothing else, unless a test says otherwise."""

    logging: str | RemediatorError | None = "management"
    log: AuditLog = field(default_factory=lambda: AuditLog(written=True))
    alarms: tuple[str, ...] = ()

    def trail(self) -> str | None:
        return _or_raise(self.logging)

    def audit_log(self, cluster: str) -> AuditLog:
        return self.log

    def has_alarm(self, name: str) -> bool:
        return name in self.alarms


def _or_raise(given: T | RemediatorError) -> T:
    if isinstance(given, RemediatorError):
        raise given
    return given


@dataclass
class FakePatternTester:
    """`matched` are the names of the patterns that every event matches."""

    matched: tuple[str, ...] = ()

    def matching(self, event: Mapping[str, Any], patterns: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        assert event["detail-type"]
        return (name for name in patterns if name in self.matched)


@dataclass
class Fakes:
    """The fakes behind an `Outside`, for tests to read."""

    world: World
    incidents: FakeIncidents
    notifier: FakeNotifier
    events: FakeEvents
    eks: FakeEks
    callbacks: FakeApprovalCallbacks
    cluster_access: FakeClusterAccess
    surroundings: FakeSurroundings
    trigger_sources: FakeTriggerSources
    patterns: FakePatternTester
    fake_dependencies: Dependencies

    def undeployed(self) -> None:
        nothing = ("incidents_table", "remediator_arn", "chat_topic_arn", "people_topic_arn", "event_bus", "our_role_arns")
        here = replace(self.dependencies.environment, **dict.fromkeys(nothing, ""))
        self.dependencies = replace(self.dependencies, deployed=False, environment=here)


def fake_dependencies(world: World) -> Fakes:
    """An `Outside` over the world, with a stack deployed."""
    incidents, notifier, events, eks = FakeIncidents(world), FakeNotifier(world), FakeEvents(world), FakeEks(world)
    callbacks, cluster_access, patterns = FakeApprovalCallbacks(), FakeClusterAccess(), FakePatternTester()
    surroundings, trigger_sources = FakeSurroundings(), FakeTriggerSources()
    made = Dependencies(
        caller=CALLER,
        environment=ENVIRONMENT,
        deployed=True,
        readers=readers_over(world, eks=eks, may_simulate=True),
        incidents=incidents,
        calendar=FakeCalendar(world),
        notifier=notifier,
        events=events,
        parameters=FakeParameterWriter(world),
        incident_list=FakeIncidentList(incidents),
        callbacks=callbacks,
        cluster_access=cluster_access,
        surroundings=surroundings,
        trigger_sources=trigger_sources,
        patterns=patterns,
        now=world.clock,
        sleep=world.sleep,
    )
    return Fakes(world, incidents, notifier, events, eks, callbacks, cluster_access, surroundings, trigger_sources, patterns, made)
