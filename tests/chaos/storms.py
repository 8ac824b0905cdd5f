"""Thousands of events at once: the pipeline over fakes with simulated concurrency, and over the real table adapter with threads."""

from __future__ import annotations

import json
import re
import time
from bisect import bisect_left
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from lambdas.checker.pipeline import run
from lambdas.contract.events import OwnEvent
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.remediator.steps import InProcessSteps
from lambdas.remediator.workflow import remediate
from tests import fakes
from tests.chaos.environments import TurnsWorld
from tests.chaos.figures import Figures
from tests.events import event as recorded
from tests.over_fakes.at_once import AtOnce
from tests.over_fakes.events import own
from tests.over_fakes.wiring import Wired
from tests.world import NAME, NAMESPACE, NOON, REGION, described

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lambdas.checker.ports import Ports
    from lambdas.domain.incident import PastIncident

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


class Town(Wired):
    """Clusters, the ports over them, and what was started. The checker's log is left out: a storm would fill it."""

    environment = HERE
    world: TurnsWorld

    def __init__(self, world: TurnsWorld, incidents: fakes.FakeIncidents, remediator: fakes.FakeRemediator) -> None:
        super().__init__(world, incidents, remediator)
        self.refused: list[str] = []

    @property
    def ports(self) -> Ports:
        return replace(super().ports, log=lambda *_, **__: None)

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


def town(clusters: int = 1, *, broken: bool) -> Town:
    """So many equal clusters, `demo` or `c000` and so on, all whole or all broken."""
    names = ["demo"] if clusters == 1 else [f"c{n:03}" for n in range(clusters)]
    world = TurnsWorld()
    for name in names:
        one = described({"cluster": {"name": name, "nodes": 3}, **({"annotation": None, "pods": {"stale": 3}} if broken else {})})
        world.clusters |= one.clusters
        world.parameters |= one.parameters
        world.roles |= one.roles
        world.providers |= one.providers
    assert all(binding_path(name, NAMESPACE, NAME) in world.parameters for name in names)
    return Town(world, fakes.FakeIncidents(world), fakes.FakeRemediator(world))


def checked(arrivals: Sequence[Arrival], there: Town, environments: int) -> None:
    """Hand the events over, each to the next environment that is free, and what checks ask for themselves, too, in simulated time."""
    waiting, ports = deque(arrivals), there.ports

    def environment() -> None:
        while waiting:
            it = waiting.popleft()
            there.world.sleep_until(it.arrives)
            run(it.event, ports)
            asked, there.bus.sent = [it for it in there.bus.sent if it[0] == OwnEvent.CHECK_REQUESTED], []
            waiting.extendleft(Arrival(own(kind, detail, there.world.now), there.world.now, there.world.now) for kind, detail in asked)

    with patch("lambdas.domain.observing.ThreadPoolExecutor", AtOnce):
        there.world.run([environment] * environments)


def unanswered(arrivals: Sequence[Arrival], there: Town) -> tuple[int, float]:
    """Events that no look followed, and how long after its arrival an event had to wait for one that began after it (seconds, the longest).

    Whoever is answered by a look that began before it arrived has waited for nothing.
    """
    looks = sorted(there.world.looked_at)
    following = [(it, bisect_left(looks, it.happened)) for it in arrivals]
    waits = [(looks[n] - it.arrives).total_seconds() for it, n in following if n < len(looks)]
    return len(arrivals) - len(waits), max(0.0, *waits)


# --- rounds ------------------------------------------------------------------------------------------------------------------------------


def one_fault(count: int) -> Figures:
    """So many events for one broken cluster within a minute: one incident, one repair, every signal counted and seen."""
    began, there = time.monotonic(), town(broken=True)
    checked(storm(count, 60.0, delay_s=(0.0, 4.0, 0.5, 30.0)), there, environments=10)
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
    checked(sorted(arrivals, key=lambda it: it.arrives), there, environments=50)
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


def healthy(count: int, *, spread_s: float, environments: int, delay_s: Sequence[float] = (0.0,)) -> Figures:
    """The same storm on a cluster that is well: no write, no message, a handful of checks, and one that answers it after each event."""
    began, there = time.monotonic(), town(broken=False)
    arrivals = storm(count, spread_s, delay_s)
    checked(arrivals, there, environments)
    lost, waited = unanswered(arrivals, there)
    late = ", late and out of order" if len(delay_s) > 1 else ""
    return Figures(
        round=f"storm: a healthy cluster, {spread_s:.0f} s{late}",
        faults=count,
        runs=1,
        converged=int(not there.world.writes and not there.closed),
        messages=len(there.notifier.sent),
        lost=lost,
        seconds=time.monotonic() - began,
        note=f"{count:,} events, {there.looks} checks by {environments} environments, an answer after {waited:.1f} s at most",
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
    yield healthy(10_000, spread_s=1.0, environments=10)
    yield healthy(10_000, spread_s=60.0, environments=2)
    yield healthy(10_000, spread_s=60.0, environments=10)
    yield healthy(10_000, spread_s=60.0, environments=10, delay_s=(0.0, 4.0, 0.5, 30.0))
    yield skewed(2_000)
    yield real_table(10_000, threads=8)
