"""The remediator's workflow on the real cluster. The fakes replace AWS; Kubernetes is real."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from lambdas.adapters.cluster import Cluster
from lambdas.application.remediation.results import RemediationResult
from lambdas.application.remediation.steps.remediation_steps import RemediationSteps
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import InProcessSteps, PollSchedule, StepId
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.snapshot.snapshot import ClusterFacts
from tests import fakes
from tests.over_fakes.fake_ports import FakePorts
from tests.world import NAME, NAMESPACE, World, described

R = TypeVar("R")
Fault = Callable[[], object]

LONGEST_SLEEP_S = 2.0


@dataclass
class RealCluster:
    """Logs in to one real cluster, for any facts."""

    port: Cluster

    def login(self, facts: ClusterFacts) -> Cluster:
        assert facts.status == "ACTIVE"
        return self.port


@dataclass
class StepsWithFaults(InProcessSteps):
    """Runs each fault once, just before the first step whose name contains its key."""

    faults: dict[str, Fault] = field(default_factory=dict)

    def once(self, step: StepId, do: Callable[[], R], result: type[R]) -> R:
        self._strike(str(step))
        return super().once(step, do, result)

    def until(self, step: StepId, initial: R, check: Callable[[R], R], is_settled: Callable[[R], bool], schedule: PollSchedule) -> R:
        self._strike(str(step))
        return super().until(step, initial, check, is_settled, schedule)

    def _strike(self, name: str) -> None:
        for key in [key for key in self.faults if key in name]:
            self.faults.pop(key)()


@dataclass
class _Sleeping:
    """Sleeps shortly for each wait of the workflow, and fails a repair that only waits.

    The intervals of the workflow grow; the number of polls stays the same.
    """

    log: fakes.FakeLog
    left_s: float = 120

    def __call__(self, seconds: float) -> None:
        seconds = min(seconds, LONGEST_SLEEP_S)
        self.left_s -= seconds
        told = "\n".join(f"{title}: {message}" for title, message, _ in self.log.lines[-12:])
        assert self.left_s > 0, f"the repair waits for something that does not come:\n{told}"
        time.sleep(seconds)


class OnRealCluster(FakePorts):
    """The fakes, but that Kubernetes and the clock are real."""

    def __init__(self, world: World, port: Cluster) -> None:
        super().__init__(world, fakes.FakeIncidents(world), fakes.FakeRemediator(world))
        self.readers = replace(self.readers, clusters=RealCluster(port))

    def remediation_steps(self, incident: Incident) -> RemediationSteps:
        return replace(super().remediation_steps(incident), now=partial(datetime.now, UTC), sleep=time.sleep)


@dataclass
class Repaired:
    """The outcome, the messages and the world of the fakes."""

    result: RemediationResult
    log: fakes.FakeLog
    notifier: fakes.FakeNotifier
    eks: fakes.FakeEks


def repair(port: Cluster, faults: dict[str, Fault] | None = None, world: World | None = None) -> Repaired:
    """Run one incident of kube-system/aws-node from its first assessment to its end."""
    world = world or described({"annotation": None, "addon": {"role_arn": None}})
    here = world.clusters["demo"]
    here.facts = replace(here.facts, version="1.36")
    target = ServiceAccountRef("demo", NAMESPACE, NAME)
    incident = Incident(id="1f", target=target, opened_at=datetime.now(UTC), signals=1, request={"trigger": "sweep"})
    there = OnRealCluster(world, port)
    there.incidents.claim(incident)
    steps = StepsWithFaults(faults=dict(faults or {}), sleep=_Sleeping(there.log))
    result = remediate(incident, steps, there.remediation_steps(incident))
    assert not steps.faults, f"no step was named {list(steps.faults)}: {steps.done}"
    return Repaired(result, there.log, there.notifier, there.eks)
