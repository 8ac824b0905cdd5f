"""Thousands of events at once: the pipeline over fakes with simulated concurrency, and over the real table adapter with threads."""

from __future__ import annotations

import heapq
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from lambdas.checker.pipeline import Ports, run
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.domain.checking import Remembering
from lambdas.domain.observing import Readers
from lambdas.remediator.steps import InProcessSteps
from lambdas.remediator.work.desk import Desk
from lambdas.remediator.workflow import remediate
from tests import fakes
from tests.chaos.figures import Figures
from tests.events import event as recorded
from tests.over_fakes.at_once import AtOnce
from tests.over_fakes.performance import ENVIRONMENT
from tests.world import ACCOUNT, NAME, NAMESPACE, NOON, PARTITION, REGION, World, described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lambdas.domain.incident import Incident, NodesSeen, PastIncident, Signalled

HERE: Final = replace(ENVIRONMENT, runbook_root="https://example.com/runbooks")
LOOK_S: Final = 0.3
COUNT_S: Final = 0.02
"""How long a check takes that looks, and one that is answered or counted, as measured with the function's asset on loopback."""


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
    """One event of every kind about one cluster, as of this time: the recorded ones, with its name and the time in them."""
    zulu = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return [json.loads(_TIME.sub(zulu, text).replace("prod-blue", cluster)) for text in _TEXTS.values()]


@dataclass(frozen=True)
class Arrival:
    """An event, when it happened and when it is handed over."""

    event: dict[str, Any]
    happened: datetime
    arrives: datetime


def storm(count: int, spread_s: float, delay_s: Sequence[float] = (0.0,), cluster: str = "demo") -> list[Arrival]:
    """So many events of every kind, happening evenly over the time, each handed over after the next of the delays: out of order."""
    delays, found = cycle(delay_s), []
    for n in range(count):
        happened = NOON + timedelta(seconds=spread_s * n / count)
        found.append(Arrival(kinds(happened, cluster)[n % len(OF_EVERY_KIND)], happened, happened + timedelta(seconds=next(delays))))
    return sorted(found, key=lambda it: it.arrives)


class SlowToTell(fakes.FakeIncidents):
    """What a check finds is known when the check has ended, not when it began."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._pending: list[tuple[datetime, int, ServiceAccountRef, datetime, NodesSeen | None]] = []

    def signal(self, target: ServiceAccountRef, occurred_at: datetime, about_nodes: bool = False) -> Signalled:
        while self._pending and self._pending[0][0] <= self._world.now:
            _, _, about, began, nodes = heapq.heappop(self._pending)
            super().record_sound(about, began, nodes)
        return super().signal(target, occurred_at, about_nodes=about_nodes)

    def record_sound(self, target: ServiceAccountRef, began_at: datetime, nodes: NodesSeen | None = None) -> None:
        ends = self._world.now + timedelta(seconds=LOOK_S)
        heapq.heappush(self._pending, (ends, len(self._pending), target, began_at, nodes))


@dataclass
class Town:
    """Clusters, the checker's ports over them, and what was started."""

    world: World
    incidents: fakes.FakeIncidents
    remediator: fakes.FakeRemediator

    def __post_init__(self) -> None:
        self.refused: list[str] = []
        self.metrics, self.log, self.bus = fakes.FakeMetrics(), fakes.FakeLog(), fakes.FakeEvents(self.world)
        self.notifier = fakes.FakeNotifier(self.world)
        self.readers = Readers(
            parameters=fakes.FakeParameters(self.world),
            eks=fakes.FakeEks(self.world),
            iam=fakes.FakeIam(self.world),
            clusters=fakes.FakeClusters(self.world),
            account=ACCOUNT,
            region=REGION,
            partition=PARTITION,
            may_simulate=False,
        )

    @property
    def ports(self) -> Ports:
        return Ports(
            readers=self.readers,
            incidents=self.incidents,
            remediator=self.remediator,
            events=self.bus,
            metrics=self.metrics,
            log=lambda *_, **__: None,
            environment=HERE,
            now=self.world.clock,
        )

    def desk(self, incident: Incident) -> Desk:
        return Desk(
            incident=incident,
            readers=self.readers,
            remembering=Remembering(incidents=self.incidents, calendar=fakes.FakeCalendar(self.world)),
            incidents=self.incidents,
            notifier=self.notifier,
            events=self.bus,
            metrics=self.metrics,
            log=self.log,
            environment=HERE,
            now=self.world.clock,
            sleep=self.world.sleep,
        )

    def remediate(self) -> None:
        """Run every execution that was started, to its end."""
        for row in list(self.incidents.rows.values()):
            if row.incident:
                remediate(row.incident, InProcessSteps(sleep=self.world.sleep), self.desk(row.incident))

    @property
    def closed(self) -> list[PastIncident]:
        return [past for row in self.incidents.rows.values() for past in row.past]

    @property
    def looks(self) -> int:
        return self.world.reads.count("cluster.service_account")


def town(clusters: int = 1, *, broken: bool, slow: bool = False) -> Town:
    """So many equal clusters, `demo` or `c000` and so on, all whole or all broken."""
    names = ["demo"] if clusters == 1 else [f"c{n:03}" for n in range(clusters)]
    world = World()
    for name in names:
        one = described({"cluster": {"name": name, "nodes": 3}, **({"annotation": None, "pods": {"stale": 3}} if broken else {})})
        world.clusters |= one.clusters
        world.parameters |= one.parameters
        world.roles |= one.roles
        world.providers |= one.providers
    assert all(binding_path(name, NAMESPACE, NAME) in world.parameters for name in names)
    return Town(world, (SlowToTell if slow else fakes.FakeIncidents)(world), fakes.FakeRemediator(world))


def checked(arrivals: Sequence[Arrival], there: Town, concurrency: int) -> float:
    """Hand the events over to so many environments, in simulated time. Returns how long the last one waited (seconds)."""
    free = [NOON] * concurrency
    waited = 0.0
    with patch("lambdas.domain.observing.ThreadPoolExecutor", AtOnce):
        for it in arrivals:
            begins = max(it.arrives, heapq.heappop(free))
            there.world.now, before = begins, there.looks
            run(it.event, there.ports)
            took = LOOK_S if there.looks > before else COUNT_S
            heapq.heappush(free, begins + timedelta(seconds=took))
            waited = (begins - it.arrives).total_seconds()
    return waited


# --- rounds ------------------------------------------------------------------------------------------------------------------------------


def one_fault(count: int) -> Figures:
    """So many events for one broken cluster within a minute: one incident, one repair, every signal counted and seen."""
    began, there = time.monotonic(), town(broken=True)
    checked(storm(count, 60.0, delay_s=(0.0, 4.0, 0.5, 30.0)), there, concurrency=10)
    with patch("lambdas.domain.observing.ThreadPoolExecutor", AtOnce):
        there.remediate()
    (past,) = there.closed
    restarts = sum(it.startswith("restart") for it in there.world.writes)
    return Figures(
        round="storm: one broken cluster",
        faults=count,
        runs=1,
        converged=int(past.outcome == "proven" and len(there.remediator.executions) == 1),
        extra_restarts=restarts - 1,
        messages=len(there.notifier.sent),
        lost=count - past.signals,
        seconds=time.monotonic() - began,
        note=f"{count:,} events, {past.signals:,} signals seen, {len(there.remediator.executions)} execution",
    )


def many_clusters(clusters: int, each: int) -> Figures:
    """A storm on each of so many clusters at once: one repair for each, and no cluster waits for another's."""
    began, there = time.monotonic(), town(clusters, broken=True)
    names = sorted(there.world.clusters)
    arrivals = [it for name in names for it in storm(each, 10.0, cluster=name)]
    checked(sorted(arrivals, key=lambda it: it.arrives), there, concurrency=50)
    with patch("lambdas.domain.observing.ThreadPoolExecutor", AtOnce):
        there.remediate()
    proven = [it for it in there.closed if it.outcome == "proven"]
    restarts = sum(it.startswith("restart") for it in there.world.writes)
    return Figures(
        round=f"storm: {clusters} clusters at once",
        faults=clusters * each,
        runs=clusters,
        converged=len({it.target for it in proven}),
        extra_restarts=restarts - clusters,
        messages=len(there.notifier.sent),
        lost=clusters * each - sum(it.signals for it in there.closed),
        seconds=time.monotonic() - began,
        note=f"{len(there.remediator.executions)} executions for {clusters} clusters",
    )


def healthy(count: int, *, spread_s: float, concurrency: int) -> Figures:
    """The same storm on a cluster that is well: no write, no message, and few checks."""
    began, there = time.monotonic(), town(broken=False, slow=True)
    waited = checked(storm(count, spread_s), there, concurrency)
    return Figures(
        round=f"storm: a healthy cluster, {spread_s:.0f} s",
        faults=count,
        runs=1,
        converged=int(not there.world.writes and not there.closed),
        messages=len(there.notifier.sent),
        seconds=time.monotonic() - began,
        note=f"{count:,} events, {there.looks} checks by {concurrency} environments, the last after {waited:.0f} s",
    )


def skewed(count: int) -> Figures:
    """Clocks that are up to five minutes off, late and out of order, with a fault in the middle: it is found all the same."""
    began, there = time.monotonic(), town(broken=False)
    skews = [timedelta(seconds=it) for it in (-300, -60, -1, 0, 1, 60, 300)]
    arrivals = storm(count, 60.0, delay_s=(0.0, 20.0, 2.0))
    half = len(arrivals) // 2
    checked([_told_wrong(n, it, skew) for n, (it, skew) in enumerate(zip(arrivals[:half], cycle(skews), strict=False))], there, 4)
    account = there.world.clusters["demo"]
    there.world.set_annotation(account, (NAMESPACE, NAME), None, "terraform")
    there.world.now = max(arrivals[half - 1].arrives, arrivals[half].arrives)
    fresh = [replace(it, arrives=max(it.arrives, there.world.now)) for it in arrivals[half:] if it.happened > there.world.now]
    checked([_told_wrong(n, it, skew) for n, (it, skew) in enumerate(zip(fresh, cycle(skews), strict=False))], there, 4)
    opened = sum(row.incident is not None for row in there.incidents.rows.values())
    return Figures(
        round="storm: clocks off by five minutes",
        faults=count,
        runs=1,
        converged=int(opened == 1),
        seconds=time.monotonic() - began,
        note="a fault between two halves of the storm opened one incident",
    )


def _told_wrong(number: int, it: Arrival, skew: timedelta) -> Arrival:
    return replace(it, event=kinds(it.happened + skew)[number % len(OF_EVERY_KIND)])


def real_table(count: int, threads: int) -> Figures:
    """Events at the same instant through the real adapter and conditional writes, from threads."""
    from lambdas.adapters.incidents import Incidents
    from lambdas.adapters.session import AwsSession
    from sandbox.aws.local import LocalAws
    from sandbox.play.accounts import CHECKER, TABLE, make_table

    began, there = time.monotonic(), town(broken=True)
    with LocalAws() as aws:
        make_table(aws)
        aws.roles.create(CHECKER)
        with patch.dict("os.environ", aws.environment(CHECKER)):
            there.incidents = Incidents(AwsSession(REGION), TABLE)  # type: ignore[assignment]
            made = kinds(NOON)
            ports = there.ports
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda n: run(made[n % len(made)], ports), range(count)))
            found = there.incidents.get(ServiceAccountRef("demo", NAMESPACE, NAME))
    seconds = time.monotonic() - began
    signals = found.signals if found else 0
    return Figures(
        round="storm: the real table, from threads",
        faults=count,
        runs=1,
        converged=int(len(there.remediator.executions) == 1),
        lost=count - signals,
        seconds=seconds,
        note=f"{count:,} events from {threads} threads, {1000 * seconds / count:.1f} ms each, {len(there.remediator.executions)} execution",
    )


def rounds() -> Iterator[Figures]:
    """The long versions."""
    yield one_fault(10_000)
    yield many_clusters(200, 50)
    yield healthy(10_000, spread_s=1.0, concurrency=10)
    yield healthy(10_000, spread_s=60.0, concurrency=2)
    yield healthy(10_000, spread_s=60.0, concurrency=10)
    yield skewed(2_000)
    yield real_table(10_000, threads=8)
