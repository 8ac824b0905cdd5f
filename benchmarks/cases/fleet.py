"""Sweep of a fleet: cost of one cluster's check with 1, 20 and 200 clusters, and of the sweep that requests them."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from benchmarks.harness.child_process import run_in_child
from benchmarks.harness.measurement import Cost, Sample, interleave, ratio, sample
from benchmarks.harness.product import WARM_UP
from benchmarks.harness.row import Goal, Row
from benchmarks.harness.run import Run
from benchmarks.harness.static_fleet import StaticFleet
from sandbox.aws.http_messages import Response

NAME: Final = "fleet sweep"
_FLAT: Final = Goal(on="ratio", bound=1.1)
_SIZES: Final = (1, 20, 200)


def run(run: Run) -> list[Row]:
    """Interleave the sizes. Each round starts a new fleet, since one process holds one fleet, and makes the same number of checks."""
    if run.quick:
        run.skip(f"{NAME}: {_SIZES[-1]} clusters")
    sizes, checks = run.choose((_SIZES[:-1], 20), (_SIZES, 60))
    requests: dict[int, float] = {}

    def sweep(size: int) -> Cost:
        cost, requests[size] = _sweep(size, checks)
        return cost

    costs = interleave({str(size): partial(sweep, size) for size in sizes}, run.choose(2, 3))
    found = {size: sample(costs[str(size)], "cpu_ms") for size in sizes}
    run.facts["sweep_cpu_ms"] = found[max(sizes)].median
    fan_out = sample([_fan_out(max(sizes)) for _ in range(run.choose(2, 3))], "cpu_ms")
    run.facts["fan_out_cpu_ms"] = fan_out.median
    name = "the sweep itself, CPU a cluster"
    requested = Row(benchmark=NAME, name=name, value=fan_out.median, unit="ms CPU", spread=fan_out.spread, runs=len(fan_out.values))
    return [*(row for size in sizes for row in (_cpu_row(size, found), _requests_row(size, requests))), requested]


def _fan_out(clusters: int) -> Cost:
    """Return the cost for each cluster of a sweep, which reads all parameters and states, and requests the checks."""
    with StaticFleet(clusters=clusters) as fleet:
        fleet.aws.route("lambda", lambda _: Response(202, b"", {}))
        whole = run_in_child("benchmarks.harness.product:sweep", {"times": 3}, fleet.function_environment())
    return replace(whole, wall_ms=whole.wall_ms / clusters, cpu_ms=whole.cpu_ms / clusters)


def _sweep(size: int, checks: int) -> tuple[Cost, float]:
    """Return the cost and the number of requests of one check."""
    with StaticFleet(clusters=size) as fleet:
        swept = fleet.names[:: max(1, size // checks)][:checks]
        sweep = partial(run_in_child, "benchmarks.harness.product:sweep_clusters", environment=fleet.function_environment())
        sweep({"clusters": swept, "times": 1})  # not measured: writes `known_good_at` for each cluster, as an earlier sweep does
        times = max(1, checks // len(swept))
        mark = fleet.mark()
        cost = sweep({"clusters": swept, "times": times})
        kubernetes, aws = fleet.requests_since(mark)
    return cost, (len(kubernetes) + len(aws)) / (min(len(swept), WARM_UP) + times * len(swept))


def _cpu_row(size: int, found: Mapping[int, Sample]) -> Row:
    here, alone = found[size], found[1]
    name = f"{size} clusters, CPU a check"
    row = Row(benchmark=NAME, name=name, value=here.median, unit="ms CPU", spread=here.spread, runs=len(here.values))
    if size == 1:
        return row
    ratios = ratio(here, alone)
    return replace(row.compared_with("one cluster", alone.median, _FLAT), ratio=ratios.median, spread=ratios.spread)


def _requests_row(size: int, requests: Mapping[int, float]) -> Row:
    row = Row(benchmark=NAME, name=f"{size} clusters, requests a check", value=requests[size], unit="requests")
    return row if size == 1 else row.compared_with("one cluster", requests[1], _FLAT)
