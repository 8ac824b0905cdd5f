"""The fakes of all ports over one world, for checker and remediator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lambdas.application.assessment import PolicySources
from lambdas.application.check.dependencies import CheckDependencies
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from tests import fakes

if TYPE_CHECKING:
    from lambdas.domain.incidents.incident import Incident
    from tests.world import World


class FakePorts:
    """A world and the fakes over it. Tests read the fakes' state."""

    environment = fakes.ENVIRONMENT

    def __init__(self, world: World, incidents: fakes.FakeIncidents, remediator: fakes.FakeRemediator) -> None:
        self.world = world
        self.incidents = incidents
        self.remediator = remediator
        self.eks = fakes.FakeEks(world)
        self.readers = fakes.readers_over(world, eks=self.eks)
        self.bus, self.notifier, self.calendar = fakes.FakeEvents(world), fakes.FakeNotifier(world), fakes.FakeCalendar(world)
        self.checker = fakes.FakeChecks(world, bus=self.bus)
        self.metrics, self.log = fakes.FakeMetrics(), fakes.FakeLog()

    @property
    def ports(self) -> CheckDependencies:
        """The dependencies of a check."""
        return CheckDependencies(remediator=self.remediator, checks=self.checker, uncached_readers=self.readers, **self._shared)

    def remediation_steps(self, incident: Incident) -> RemediationSteps:
        """The steps of the remediation workflow."""
        policy_sources = PolicySources(incidents=self.incidents, calendar=self.calendar)
        return RemediationSteps(
            incident=incident, policy_sources=policy_sources, notifier=self.notifier, jitter=lambda: 1.0, **self._shared
        )

    @property
    def _shared(self) -> dict[str, Any]:
        """The dependencies that both have."""
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
