"""A check of a cluster with 5,000 nodes: pods with their specs, nodes as a Table."""

from benchmarks.child import in_child
from benchmarks.events import not_ready, payload
from benchmarks.functions import cold, function
from benchmarks.ground import Ground
from benchmarks.measure import in_turns, patiently
from benchmarks.row import Goal, Row, compared
from benchmarks.run import Run
from lambdas.contract.environment import Function
from sandbox.play.deployment import our_asset

_RAW, _TYPED = "raw: urllib3, orjson, same pages", "typed client, 500 a page"


def run(run: Run) -> list[Row]:
    """A fifth of the nodes in a quick run."""
    nodes = run.pick(1000, 5000)
    promise = f"{nodes:,} nodes"
    with Ground(nodes=nodes) as ground:
        run.say(f"{promise} and as many pods stand")
        environment = ground.function_environment()
        costs = in_turns(
            {
                "ours": patiently(lambda: in_child("benchmarks.ours:big_check", {}, environment)),
                _RAW: patiently(lambda: in_child("benchmarks.rivals.lists:raw", {}, environment)),
                _TYPED: patiently(lambda: in_child("benchmarks.rivals.lists:typed", {}, environment)),
            },
            run.pick(1, 3),
        )
        checker = function("checker", our_asset(), Function.CHECKER.handler, environment, memory_mib=128)
        peak = patiently(lambda: cold(checker, lambda: payload(not_ready())))().peak_mb
    return [
        compared(promise, "check, CPU", "cpu_ms", costs, rival=_RAW, goal=Goal(on="ratio", bound=1.2)),
        compared(promise, "check, CPU", "cpu_ms", costs, rival=_TYPED, goal=Goal(on="ratio", bound=0.4)),
        compared(promise, "check, wall", "wall_ms", costs, rival=_RAW),
        compared(promise, "process, peak memory", "peak_mb", costs, rival=_TYPED),
        Row(promise=promise, name="function in the emulator, peak memory", value=peak, unit="MB", goal=Goal(on="value", bound=128)),
    ]
