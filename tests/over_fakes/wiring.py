"""Checker and remediator over fakes: the one place that gives them their ports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.checker.ports import Ports
from lambdas.contract.environment import Environment
from lambdas.domain.checking import Remembering
from lambdas.remediator.bodies.desk import Desk
from tests import fakes
from tests.world import ACCOUNT, PARTITION, REGION

if TYPE_CHECKING:
    from lambdas.domain.incident import Incident
    from tests.world import World

ENVIRONMENT = Environment(
    account=ACCOUNT,
    region=REGION,
    partition=PARTITION,
    incidents_table="incidents",
    remediator_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:remediator:live",
    chat_topic_arn="chat",
    people_topic_arn="people",
    event_bus="default",
    our_role_arns="",
    may_simulate="false",
)


class Wired:
    """A world with the fakes over it, as both functions are given them. Tests read the fakes."""

    environment = ENVIRONMENT

    def __init__(self, world: World, incidents: fakes.FakeIncidents, remediator: fakes.FakeRemediator) -> None:
        self.world = world
        self.incidents = incidents
        self.remediator = remediator
        self.eks = fakes.FakeEks(world)
        self.readers = fakes.readers_over(world, eks=self.eks)
        self.bus, self.notifier, self.calendar = fakes.FakeEvents(world), fakes.FakeNotifier(world), fakes.FakeCalendar(world)
        self.metrics, self.log = fakes.FakeMetrics(), fakes.FakeLog()

    @property
    def ports(self) -> Ports:
        """What the checker works with."""
        return Ports(
            readers=self.readers,
            incidents=self.incidents,
            remediator=self.remediator,
            events=self.bus,
            metrics=self.metrics,
            log=self.log,
            environment=self.environment,
            now=self.world.clock,
            sleep=self.world.sleep,
        )

    def desk(self, incident: Incident) -> Desk:
        """What the remediator's steps work with."""
        return Desk(
            incident=incident,
            readers=self.readers,
            remembering=Remembering(incidents=self.incidents, calendar=self.calendar),
            incidents=self.incidents,
            notifier=self.notifier,
            events=self.bus,
            metrics=self.metrics,
            log=self.log,
            environment=self.environment,
            now=self.world.clock,
            sleep=self.world.sleep,
        )
