"""A fleet: clusters with both functions over fakes, and event storms in simulated time."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from lambdas.application.check.pipeline import run
from lambdas.application.remediation.workflow import remediate
from lambdas.application.workflow_steps import InProcessSteps
from lambdas.contract.events import OwnEvent
from lambdas.contract.parameters import binding_path
from tests import fakes
from tests.chaos.simulated_concurrency import ConcurrentWorld
from tests.events import event as recorded
from tests.over_fakes.events import own
from tests.over_fakes.fake_ports import FakePorts
from tests.world import NAME, NAMESPACE, NOON, described

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lambdas.application.check.dependencies import CheckDependencies
    from lambdas.domain.incidents.incident import PastIncident

HERE: Final = replace(fakes.ENVIRONMENT, runbook_root="https://example.com/runbooks")

OF_EVERY_KIND: Final = (
    "addon-update-succeeded",
    "call-update-addon-by-role",
    "call-delete-association",
    "call-update-cluster-version",
    "node-not-ready",
    "alarm-node-metric",
    "kubernetes-event-exported",
    "identity-changed",
    "parameter-binding-created",
    "check-requested-by-sweep",
    "check-requested-by-person",
)
_TIME: Final = re.compile(r"2026-09-27T[0-9:.]+(Z|\+0000)")
_TEXTS: Final = {name: json.dumps(recorded(name)) for name in OF_EVERY_KIND}


def kinds(at: datetime, cluster: str = "demo") -> list[dict[str, Any]]:
    """One recorded event of every kind, with the name of this cluster and this time."""
    zulu = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return [json.loads(_TIME.sub(zulu, text).replace("prod-blue", cluster)) for text in _TEXTS.values()]


@dataclass(frozen=True)
class Arrival:
    """An event with the times of its occurrence and delivery."""

    event: dict[str, Any]
    happened: datetime
    arrives: datetime


def storm(count: int, spread_s: float, delay_s: Sequence[float] = (0.0,), cluster: str = "demo") -> list[Arrival]:
    """Events of every kind, evenly distributed in time and delivered out of order after the given delays."""
    delays, found = cycle(delay_s), []
    for n in range(count):
        happened = NOON + timedelta(seconds=spread_s * n / count)
        found.append(Arrival(kinds(happened, cluster)[n % len(OF_EVERY_KIND)], happened, happened + timedelta(seconds=next(delays))))
    return sorted(found, key=lambda item: item.arrives)


class Town(FakePorts):
    """Clusters, the ports over them, and started executions. The checker's log is not kept, because a storm would fill it."""

    environment = HERE
    world: ConcurrentWorld

    def __init__(self, world: ConcurrentWorld, incidents: fakes.FakeIncidents, remediator: fakes.FakeRemediator) -> None:
        super().__init__(world, incidents, remediator)
        self.refused: list[str] = []

    @property
    def ports(self) -> CheckDependencies:
        return replace(super().ports, log=lambda *_, **__: None)

    def remediate(self) -> None:
        """Run every started execution to its end."""
        for row in list(self.incidents.rows.values()):
            if row.incident:
                remediate(row.incident, InProcessSteps(sleep=self.world.sleep), self.remediation_steps(row.incident))

    @property
    def closed(self) -> list[PastIncident]:
        return [past for row in self.incidents.rows.values() for past in row.past]

    @property
    def checks(self) -> int:
        return self.world.reads.count("cluster.service_account")


def town(clusters: int = 1, *, broken: bool) -> Town:
    """Equal clusters, all healthy or all broken, named `demo` or `c000` and so on."""
    names = ["demo"] if clusters == 1 else [f"c{n:03}" for n in range(clusters)]
    world = ConcurrentWorld()
    for name in names:
        one = described({"cluster": {"name": name, "nodes": 3}, **({"annotation": None, "pods": {"stale": 3}} if broken else {})})
        world.clusters |= one.clusters
        world.parameters |= one.parameters
        world.roles |= one.roles
        world.providers |= one.providers
    assert all(binding_path(name, NAMESPACE, NAME) in world.parameters for name in names)
    return Town(world, fakes.FakeIncidents(world), fakes.FakeRemediator(world))


def checked(arrivals: Sequence[Arrival], there: Town, environments: int) -> None:
    """Deliver the events, and the events of the checks, each to the next free environment in simulated time."""
    waiting, ports = deque(arrivals), there.ports

    def environment() -> None:
        while waiting:
            it = waiting.popleft()
            there.world.sleep_until(it.arrives)
            run(it.event, ports)
            asked, there.bus.sent = [item for item in there.bus.sent if item[0] == OwnEvent.CHECK_REQUESTED], []
            waiting.extendleft(Arrival(own(kind, detail, there.world.now), there.world.now, there.world.now) for kind, detail in asked)

    there.world.run([environment] * environments)


def unanswered(arrivals: Sequence[Arrival], there: Town) -> tuple[int, float]:
    """Events that no check followed, and the longest wait (seconds) from an event to the next check.

    An event that a check answers which began before its arrival has not waited.
    """
    began = sorted(there.world.checked_at)
    following = [(arrival, bisect_left(began, arrival.happened)) for arrival in arrivals]
    waits = [(began[n] - item.arrives).total_seconds() for item, n in following if n < len(began)]
    return len(arrivals) - len(waits), max(0.0, *waits)
