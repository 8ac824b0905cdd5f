"""Checker and remediator over fakes: the one place that gives them their ports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.application.assessment import PolicySources
from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from tests import fakes

if TYPE_CHECKING:
    from lambdas.domain.incidents.incident import Incident
    from tests.world import World


class Wired:
    """A world with the fakes over it, as both functions are given them. Tests read the fakes."""

    environment = fakes.ENVIRONMENT

    def __init__(self, world: World, incidents: fakes.FakeIncidents, remediator: fakes.FakeRemediator) -> None:
        self.world = world
        self.incidents = incidents
        self.remediator = remediator
        self.eks = fakes.FakeEks(world)
        self.readers = fakes.readers_over(world, eks=self.eks)
        self.bus, self.notifier, self.calendar = fakes.FakeEvents(world), fakes.FakeNotifier(world), fakes.FakeCalendar(world)
        self.metrics, self.log = fakes.FakeMetrics(), fakes.FakeLog()

    @property
    def ports(self) -> CheckDependencies:
        """What the checker works with."""
        return CheckDependencies(remediator=self.remediator, uncached_readers=self.readers, **self._both)

    def desk(self, incident: Incident) -> RemediationSteps:
        """What the remediator's steps work with."""
        policy_sources = PolicySources(incidents=self.incidents, calendar=self.calendar)
        return RemediationSteps(incident=incident, policy_sources=policy_sources, notifier=self.notifier, jitter=lambda: 1.0, **self._both)

    @property
    def _both(self) -> dict[str, Any]:
        """What both functions are given."""
        return {
            "readers": self.readers,
            "incidents": self.incidents,
            "events": self.bus,
            "metrics": self.metrics,
            "log": self.log,
            "environment": self.environment,
            "now": self.world.clock,
            "sleep": self.world.sleep,
        }
