"""Check of a cluster with 5,000 nodes: reads pods with their specs and nodes as a Table."""

from benchmarks.harness.child_process import run_in_child
from benchmarks.harness.emulated_functions import function, measure_cold_start
from benchmarks.harness.events import not_ready, payload
from benchmarks.harness.measurement import interleave, with_retries
from benchmarks.harness.row import Goal, Row, compare
from benchmarks.harness.run import Run
from benchmarks.harness.static_fleet import StaticFleet
from lambdas.contract.environment import Function
from sandbox.simulation.deployment import function_asset

_RAW, _TYPED = "raw: urllib3, orjson, same pages", "typed client, 500 a page"


def run(run: Run) -> list[Row]:
    """Measure 5,000 nodes, or 1,000 in a quick run."""
    nodes = run.choose(1000, 5000)
    benchmark = f"{nodes:,} nodes"
    with StaticFleet(nodes=nodes) as fleet:
        run.log(f"created {benchmark} and as many pods")
        environment = fleet.function_environment()
        costs = interleave(
            {
                "product": with_retries(lambda: run_in_child("benchmarks.harness.product:check_with_nodes", {}, environment)),
                _RAW: with_retries(lambda: run_in_child("benchmarks.baselines.list_clients:raw", {}, environment)),
                _TYPED: with_retries(lambda: run_in_child("benchmarks.baselines.list_clients:typed", {}, environment)),
            },
            run.choose(1, 3),
        )
        checker = function("checker", function_asset(), Function.CHECKER.handler, environment, memory_mib=128)
        peak = with_retries(lambda: measure_cold_start(checker, lambda: payload(not_ready())))().peak_mb
    return [
        compare(benchmark, "check, CPU", "cpu_ms", costs, baseline=_RAW, goal=Goal(on="ratio", bound=1.2)),
        compare(benchmark, "check, CPU", "cpu_ms", costs, baseline=_TYPED, goal=Goal(on="ratio", bound=0.4)),
        compare(benchmark, "check, wall", "wall_ms", costs, baseline=_RAW),
        compare(benchmark, "process, peak memory", "peak_mb", costs, baseline=_TYPED),
        Row(benchmark=benchmark, name="function in the emulator, peak memory", value=peak, unit="MB", goal=Goal(on="value", bound=128)),
    ]
