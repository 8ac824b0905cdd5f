"""Thousands of events at once: the pipeline over fakes with simulated concurrency, and the real table adapter with threads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import cycle
from typing import TYPE_CHECKING
from unittest.mock import patch

from lambdas.application.check.pipeline import run
from lambdas.contract.parameters import ServiceAccountRef
from tests.chaos.fleet import OF_EVERY_KIND, Arrival, checked, kinds, storm, town, unanswered
from tests.chaos.round_result import RoundResult
from tests.world import NAME, NAMESPACE, NOON, REGION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def one_fault(count: int) -> RoundResult:
    """Many events for one broken cluster within a minute: one incident, one repair, every signal counted and processed."""
    began, there = time.monotonic(), town(broken=True)
    checked(storm(count, 60.0, delay_s=(0.0, 4.0, 0.5, 30.0)), there, environments=10)
    there.remediate()
    (past,) = there.closed
    restarts = sum(write.startswith("restart") for write in there.world.writes)
    return RoundResult(
        round="storm: one broken cluster",
        faults=count,
        runs=1,
        converged=int(past.outcome == "verified" and len(there.remediator.executions) == 1),
        extra_restarts=restarts - 1,
        messages=len(there.notifier.sent),
        lost=count - past.signals,
        seconds=time.monotonic() - began,
        note=f"{count:,} events, {past.signals:,} signals seen, {len(there.remediator.executions)} execution",
    )


def many_clusters(clusters: int, each: int) -> RoundResult:
    """A storm on each of many clusters at once: one repair for each, and no cluster waits for another."""
    began, there = time.monotonic(), town(clusters, broken=True)
    names = sorted(there.world.clusters)
    arrivals = [item for name in names for item in storm(each, 10.0, cluster=name)]
    checked(sorted(arrivals, key=lambda arrival: arrival.arrives), there, environments=50)
    there.remediate()
    proven = [item for item in there.closed if item.outcome == "verified"]
    restarts = sum(write.startswith("restart") for write in there.world.writes)
    return RoundResult(
        round=f"storm: {clusters} clusters at once",
        faults=clusters * each,
        runs=clusters,
        converged=len({item.target for item in proven}),
        extra_restarts=restarts - clusters,
        messages=len(there.notifier.sent),
        lost=clusters * each - sum(item.signals for item in there.closed),
        seconds=time.monotonic() - began,
        note=f"{len(there.remediator.executions)} executions for {clusters} clusters",
    )


def healthy(count: int, *, spread_s: float, environments: int, delay_s: Sequence[float] = (0.0,)) -> RoundResult:
    """The same storm on a healthy cluster: no write, no message, few checks, and a check after each event."""
    began, there = time.monotonic(), town(broken=False)
    arrivals = storm(count, spread_s, delay_s)
    checked(arrivals, there, environments)
    lost, waited = unanswered(arrivals, there)
    late = ", late and out of order" if len(delay_s) > 1 else ""
    return RoundResult(
        round=f"storm: a healthy cluster, {spread_s:.0f} s{late}",
        faults=count,
        runs=1,
        converged=int(not there.world.writes and not there.closed),
        messages=len(there.notifier.sent),
        lost=lost,
        seconds=time.monotonic() - began,
        note=f"{count:,} events, {there.checks} checks by {environments} environments, an answer after {waited:.1f} s at most",
    )


def skewed(count: int) -> RoundResult:
    """Clocks that are up to five minutes wrong, late and unordered events, and a fault, which is still found."""
    began, there = time.monotonic(), town(broken=False)
    skews = [timedelta(seconds=item) for item in (-300, -60, -1, 0, 1, 60, 300)]
    arrivals = storm(count, 60.0, delay_s=(0.0, 20.0, 2.0))
    half = len(arrivals) // 2
    checked([_told_wrong(n, item, skew) for n, (item, skew) in enumerate(zip(arrivals[:half], cycle(skews), strict=False))], there, 4)
    account = there.world.clusters["demo"]
    there.world.set_annotation(account, (NAMESPACE, NAME), None, "terraform")
    there.world.now = max(arrivals[half - 1].arrives, arrivals[half].arrives)
    fresh = [
        replace(arrival, arrives=max(arrival.arrives, there.world.now)) for arrival in arrivals[half:] if arrival.happened > there.world.now
    ]
    checked([_told_wrong(n, item, skew) for n, (item, skew) in enumerate(zip(fresh, cycle(skews), strict=False))], there, 4)
    opened = sum(row.incident is not None for row in there.incidents.rows.values())
    return RoundResult(
        round="storm: clocks off by five minutes",
        faults=count,
        runs=1,
        converged=int(opened == 1),
        seconds=time.monotonic() - began,
        note="a fault between two halves of the storm opened one incident",
    )


def _told_wrong(number: int, it: Arrival, skew: timedelta) -> Arrival:
    return replace(it, event=kinds(it.happened + skew)[number % len(OF_EVERY_KIND)])


def real_table(count: int, threads: int) -> RoundResult:
    """Events at the same instant through the real adapter and conditional writes, from threads."""
    from lambdas.adapters.aws_session import AwsSession
    from lambdas.adapters.incidents import Incidents
    from sandbox.aws.local_aws import LocalAws
    from sandbox.simulation.aws_account import CHECKER, TABLE, create_table

    began, there = time.monotonic(), town(broken=True)
    with LocalAws() as aws:
        create_table(aws)
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
    return RoundResult(
        round="storm: the real table, from threads",
        faults=count,
        runs=1,
        converged=int(len(there.remediator.executions) == 1),
        lost=count - signals,
        seconds=seconds,
        note=f"{count:,} events from {threads} threads, {1000 * seconds / count:.1f} ms each, {len(there.remediator.executions)} execution",
    )


def rounds() -> Iterator[RoundResult]:
    """The long versions."""
    yield one_fault(10_000)
    yield many_clusters(200, 50)
    yield healthy(10_000, spread_s=1.0, environments=10)
    yield healthy(10_000, spread_s=60.0, environments=2)
    yield healthy(10_000, spread_s=60.0, environments=10)
    yield healthy(10_000, spread_s=60.0, environments=10, delay_s=(0.0, 4.0, 0.5, 30.0))
    yield skewed(2_000)
    yield real_table(10_000, threads=8)
