"""The sweep of a fleet: what one cluster costs when there are 1, 20 and 200."""

from functools import partial
from typing import Final

from benchmarks.child import in_child
from benchmarks.ground import Ground
from benchmarks.measure import Sample, in_turns, sample
from benchmarks.ours import WARM_UP
from benchmarks.row import Goal, Row
from benchmarks.run import Run

NAME: Final = "fleet sweep"
_FLAT: Final = Goal(on="ratio", bound=1.1)
_SIZES: Final = (1, 20, 200)


def run(run: Run) -> list[Row]:
    """Each size in a world of its own, one after the other since only one fits into a process; requests are counted, CPU is measured."""
    if run.quick:
        run.leave_out(f"{NAME}: {_SIZES[-1]} clusters")
    found = {size: _swept(size, run) for size in run.pick(_SIZES[:-1], _SIZES)}
    run.facts["sweep_cpu_ms"] = found[max(found)][0].median
    return [row for size in found for row in _rows(size, *found[size], *found[1])]


def _swept(size: int, run: Run) -> tuple[Sample, float]:
    """CPU milliseconds and requests of a check."""
    times, rounds = max(1, run.pick(20, 100) // size), run.pick(2, 3)
    run.say(f"a fleet of {size}")
    with Ground(clusters=size) as ground:
        once = partial(in_child, "benchmarks.ours:sweep", {"clusters": ground.names, "times": times}, ground.function_environment())
        once()  # the table then says of each that it was well, as after any sweep but the first
        mark = ground.mark()
        costs = in_turns({"ours": once}, rounds)["ours"]
        kubernetes, aws = ground.requests_since(mark)
    checks = rounds * (min(size, WARM_UP) + times * size)
    return sample(costs, "cpu_ms"), (len(kubernetes) + len(aws)) / checks


def _rows(size: int, cpu: Sample, requests: float, cpu_alone: Sample, requests_alone: float) -> list[Row]:
    rows = [
        Row(promise=NAME, name=f"{size} clusters, CPU a check", value=cpu.median, unit="ms CPU", spread=cpu.spread, runs=len(cpu.values)),
        Row(promise=NAME, name=f"{size} clusters, requests a check", value=requests, unit="requests"),
    ]
    if size == 1:
        return rows
    return [row.beside("one cluster", alone, _FLAT) for row, alone in zip(rows, (cpu_alone.median, requests_alone), strict=True)]
