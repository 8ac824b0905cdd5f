"""The sweep of a fleet: what one cluster costs when there are 1, 20 and 200."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from benchmarks.child import in_child
from benchmarks.ground import Ground
from benchmarks.measure import Cost, Sample, in_turns, ratio, sample
from benchmarks.ours import WARM_UP
from benchmarks.row import Goal, Row
from benchmarks.run import Run

NAME: Final = "fleet sweep"
_FLAT: Final = Goal(on="ratio", bound=1.1)
_SIZES: Final = (1, 20, 200)


def run(run: Run) -> list[Row]:
    """Sizes by turns, each time in a world of its own since only one fits into a process; requests are counted, CPU is measured.

    A turn makes as many checks in each world, in a large one of clusters spread over it.
    """
    if run.quick:
        run.leave_out(f"{NAME}: {_SIZES[-1]} clusters")
    sizes, checks = run.pick((_SIZES[:-1], 20), (_SIZES, 60))
    requests: dict[int, float] = {}

    def swept(size: int) -> Cost:
        cost, requests[size] = _swept(size, checks)
        return cost

    costs = in_turns({str(size): partial(swept, size) for size in sizes}, run.pick(2, 3))
    found = {size: sample(costs[str(size)], "cpu_ms") for size in sizes}
    run.facts["sweep_cpu_ms"] = found[max(sizes)].median
    return [row for size in sizes for row in (_cpu_row(size, found), _requests_row(size, requests))]


def _swept(size: int, checks: int) -> tuple[Cost, float]:
    """The cost of a check, and its requests."""
    with Ground(clusters=size) as ground:
        swept = ground.names[:: max(1, size // checks)][:checks]
        sweep = partial(in_child, "benchmarks.ours:sweep", environment=ground.function_environment())
        sweep({"clusters": swept, "times": 1})  # the table then says of each that it was well, as after any sweep but the first
        times = max(1, checks // len(swept))
        mark = ground.mark()
        cost = sweep({"clusters": swept, "times": times})
        kubernetes, aws = ground.requests_since(mark)
    return cost, (len(kubernetes) + len(aws)) / (min(len(swept), WARM_UP) + times * len(swept))


def _cpu_row(size: int, found: Mapping[int, Sample]) -> Row:
    here, alone = found[size], found[1]
    name = f"{size} clusters, CPU a check"
    row = Row(promise=NAME, name=name, value=here.median, unit="ms CPU", spread=here.spread, runs=len(here.values))
    if size == 1:
        return row
    compared = ratio(here, alone)
    return replace(row.beside("one cluster", alone.median, _FLAT), ratio=compared.median, spread=compared.spread)


def _requests_row(size: int, requests: Mapping[int, float]) -> Row:
    row = Row(promise=NAME, name=f"{size} clusters, requests a check", value=requests[size], unit="requests")
    return row if size == 1 else row.beside("one cluster", requests[1], _FLAT)
