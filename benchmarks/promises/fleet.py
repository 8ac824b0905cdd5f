"""The sweep of a fleet: what one cluster costs when there are 1, 20 and 200."""

from functools import partial
from typing import Final

from benchmarks.child import in_child
from benchmarks.ground import Ground
from benchmarks.measure import Cost, in_turns, sample
from benchmarks.row import Goal, Row
from benchmarks.run import Run

NAME: Final = "fleet sweep"
_FLAT: Final = Goal(on="ratio", bound=1.1)


def run(run: Run) -> list[Row]:
    """Each size in a world of its own, all at once in memory one after the other; requests are counted, CPU is measured."""
    sizes = run.pick((1, 20), (1, 20, 200))
    requests: dict[int, float] = {}
    costs: dict[int, list[Cost]] = {}
    for size in sizes:
        run.say(f"a fleet of {size}")
        checks = run.pick(20, 200)
        rounds = run.pick(2, 3)
        with Ground(clusters=size) as ground:
            mark = ground.mark()
            times = max(1, checks // size)
            arguments = {"clusters": ground.names, "times": times}
            costs[size] = in_turns({"ours": partial(in_child, "benchmarks.ours:sweep", arguments, ground.function_environment())}, rounds)[
                "ours"
            ]
            kubernetes, aws = ground.requests_since(mark)
            requests[size] = (len(kubernetes) + len(aws)) / (len(costs[size]) * (times + 1) * size)
    run.facts["sweep_cpu_ms"] = sample(costs[sizes[-1]], "cpu_ms").median
    return [row for size in sizes for row in _rows(size, costs, requests)]


def _rows(size: int, costs: dict[int, list[Cost]], requests: dict[int, float]) -> list[Row]:
    here, alone = sample(costs[size], "cpu_ms"), sample(costs[1], "cpu_ms")
    compared = size > 1
    told = {"rival": "one cluster", "ratio": here.median / alone.median, "rival_value": alone.median, "goal": _FLAT} if compared else {}
    counted = {"rival": "one cluster", "ratio": requests[size] / requests[1], "rival_value": requests[1], "goal": _FLAT} if compared else {}
    return [
        Row(
            promise=NAME,
            name=f"{size} clusters, CPU a check",
            value=here.median,
            unit="ms CPU",
            spread=here.spread,
            runs=len(here.values),
            **told,  # type: ignore[arg-type]
        ),
        Row(promise=NAME, name=f"{size} clusters, requests a check", value=requests[size], unit="requests", **counted),  # type: ignore[arg-type]
    ]
