"""The checker over fakes, and the results that tests expect."""

from typing import Any

from lambdas.application.check.pipeline import run
from lambdas.application.check.results import ClusterChecked, EventResult, IncidentOpened, NoFaultFound, ServiceAccountResult
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.diagnosis.verdict import Verdict
from sandbox.simulation import scenario
from tests.over_fakes import events
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import CLUSTER, world_of

KEY = ("kube-system", "aws-node")
TARGET = ServiceAccountRef(CLUSTER, *KEY)
SWEEP = {"source": "eks-irsa-remediator", "detail-type": "Sweep", "detail": {}}
HEALTHY = ClusterChecked({TARGET: NoFaultFound(Verdict.HEALTHY)})
NO_FAULT_FOUND = ClusterChecked({TARGET: NoFaultFound(Verdict.NO_FAULT_FOUND)})
"""The result of a check that reads no events of refused calls, or no role."""


def simulate(**world: Any) -> ScenarioRun:
    """A simulation of the world that these scenario fields describe, before its first event."""
    return ScenarioRun(world_of(scenario.World(**{"nodes": 3, **world})))


def check(simulation: ScenarioRun, name: str = "check-requested") -> EventResult:
    """Deliver the event of this name to the checker, with the current time, and return the result."""
    event = events.trigger_event(name, simulation.world.now)
    assert event
    return run(event, simulation.ports)


def result_of(result: EventResult, target: ServiceAccountRef = TARGET) -> ServiceAccountResult:
    """The result for one ServiceAccount."""
    assert isinstance(result, ClusterChecked)
    return result.service_accounts[target]


def verdict_of(result: EventResult, target: ServiceAccountRef = TARGET) -> Verdict:
    """The verdict of the incident that was opened for one ServiceAccount."""
    opened = result_of(result, target)
    assert isinstance(opened, IncidentOpened)
    return opened.verdict
