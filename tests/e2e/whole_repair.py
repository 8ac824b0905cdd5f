"""The remediator's own workflow on the real cluster: AWS is played by the fakes, Kubernetes by nobody."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lambdas.adapters.cluster import Cluster
from lambdas.contract.environment import Environment
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.checking import Remembering
from lambdas.domain.incident import Incident
from lambdas.domain.observation import ClusterFacts
from lambdas.domain.observing import Readers
from lambdas.remediator.bodies.desk import Desk
from lambdas.remediator.steps import InProcessSteps, Json, Patience
from lambdas.remediator.workflow import remediate
from tests import fakes
from tests.world import ACCOUNT, NAME, NAMESPACE, PARTITION, REGION, World, described

Fault = Callable[[], object]

LONGEST_SLEEP_S = 2.0


@dataclass
class RealCluster:
    """Logs in to one real cluster, whatever the facts say."""

    port: Cluster

    def login(self, facts: ClusterFacts) -> Cluster:
        assert facts.status == "ACTIVE"
        return self.port


@dataclass
class StepsWithFaults(InProcessSteps):
    """Runs each fault once, just before the first step whose name contains its key."""

    faults: dict[str, Fault] = field(default_factory=dict)

    def once(self, name: str, do: Callable[[], Json]) -> Json:
        self._strike(name)
        return super().once(name, do)

    def until(self, name: str, check: Callable[[Json], Json], settled: Callable[[Json], bool], patience: Patience) -> Json:
        self._strike(name)
        return super().until(name, check, settled, patience)

    def _strike(self, name: str) -> None:
        for key in [key for key in self.faults if key in name]:
            self.faults.pop(key)()


@dataclass
class _Sleeping:
    """Sleeps as the workflow asks, but never long, and gives up on a repair that only waits.

    The workflow looks ever more rarely, so as not to burden a cluster; how often it looks in all stays as it is.
    """

    log: fakes.FakeLog
    left_s: float = 120

    def __call__(self, seconds: float) -> None:
        seconds = min(seconds, LONGEST_SLEEP_S)
        self.left_s -= seconds
        told = "\n".join(f"{title}: {message}" for title, message, _ in self.log.lines[-12:])
        assert self.left_s > 0, f"the repair waits for something that does not come:\n{told}"
        time.sleep(seconds)


@dataclass
class Repaired:
    """How it ended, what was said, and the world of the fakes."""

    outcome: Json
    log: fakes.FakeLog
    notifier: fakes.FakeNotifier
    eks: fakes.FakeEks


def repair(port: Cluster, faults: dict[str, Fault] | None = None, world: World | None = None) -> Repaired:
    """Run one incident of kube-system/aws-node from its first look to its end."""
    world = world or described({"annotation": None, "addon": {"role_arn": None}})
    there = world.clusters["demo"]
    there.facts = replace(there.facts, version="1.36")
    target = ServiceAccountRef("demo", NAMESPACE, NAME)
    incident = Incident(id="1f", target=target, opened_at=datetime.now(UTC), signals=1, request={"trigger": "sweep"})
    incidents, log, notifier, eks = fakes.FakeIncidents(world), fakes.FakeLog(), fakes.FakeNotifier(world), fakes.FakeEks(world)
    incidents.claim(incident)
    readers = Readers(
        parameters=fakes.FakeParameters(world),
        eks=eks,
        iam=fakes.FakeIam(world),
        clusters=RealCluster(port),
        account=ACCOUNT,
        region=REGION,
        partition=PARTITION,
        may_simulate=False,
    )
    desk = Desk(
        incident=incident,
        readers=readers,
        remembering=Remembering(incidents=incidents, calendar=fakes.FakeCalendar(world)),
        incidents=incidents,
        notifier=notifier,
        events=fakes.FakeEvents(world),
        metrics=fakes.FakeMetrics(),
        log=log,
        environment=_environment(),
    )
    steps = StepsWithFaults(faults=dict(faults or {}), sleep=_Sleeping(log))
    outcome = remediate(incident, steps, desk)
    assert not steps.faults, f"no step was named {list(steps.faults)}: {steps.done}"
    return Repaired(outcome, log, notifier, eks)


def _environment() -> Environment:
    arns = {name: f"arn:{PARTITION}:test:{REGION}:{ACCOUNT}:{name}" for name in ("remediator_arn", "chat_topic_arn", "people_topic_arn")}
    return Environment(
        account=ACCOUNT,
        region=REGION,
        partition=PARTITION,
        incidents_table="incidents",
        event_bus="default",
        our_role_arns="",
        may_simulate="false",
        **arns,
    )
