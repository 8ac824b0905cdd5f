"""Check of a cluster with 5,000 or 10,000 nodes: reads pods with their specs and nodes as a Table."""

from contextlib import ExitStack

from benchmarks.harness.child_process import run_in_child
from benchmarks.harness.cpu_share import CpuShare, NoCpuQuota
from benchmarks.harness.emulated_functions import FunctionFailed, function, peak_mb
from benchmarks.harness.events import not_ready, payload
from benchmarks.harness.measurement import interleave, with_retries
from benchmarks.harness.row import Goal, Row, compare
from benchmarks.harness.run import Run
from benchmarks.harness.static_fleet import StaticFleet
from lambdas.contract.environment import Function
from lambdas.contract.memory import MEMORY_MIB
from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from sandbox.functions.execution_environment import Environment
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
    with StaticFleet(nodes=run.choose(2000, 10_000)) as fleet:
        largest = _largest(fleet)
    return [
        compare(benchmark, "check, CPU", "cpu_ms", costs, baseline=_RAW, goal=Goal(on="ratio", bound=1.2)),
        compare(benchmark, "check, CPU", "cpu_ms", costs, baseline=_TYPED, goal=Goal(on="ratio", bound=0.4)),
        compare(benchmark, "check, wall", "wall_ms", costs, baseline=_RAW),
        compare(benchmark, "process, peak memory", "peak_mb", costs, baseline=_TYPED),
        *largest,
    ]


def _largest(fleet: StaticFleet) -> list[Row]:
    """Return peak memory and duration of a cold check in the emulator, with the processor share of the deployed size if it can be set."""
    benchmark, mib = f"{fleet.nodes:,} nodes", MEMORY_MIB[Function.CHECKER]
    checker = function("checker", function_asset(), Function.CHECKER.handler, fleet.function_environment(), mib)
    with ExitStack() as stack:
        started = stack.enter_context(Environment(checker))
        try:
            stack.enter_context(CpuShare(mib)).add(started.emulator_pids())
            how = f"at the processor share of {mib} MB"
        except NoCpuQuota:
            how = "with a whole processor"
        ended = started.invoke(payload(not_ready()))
        if ended.failed:
            raise FunctionFailed(f"{checker.name}: {ended.payload.decode(errors='replace')[:800]}")
        peak = peak_mb(started)
    seconds, time_out = ended.duration_ms / 1e3, Goal(on="value", bound=CHECKER_TIMEOUT_S)
    return [
        Row(benchmark=benchmark, name="cold check in the emulator, peak memory", value=peak, unit="MB", goal=Goal(on="value", bound=128)),
        Row(benchmark=benchmark, name=f"cold check {how}", value=seconds, unit="s", goal=time_out, note="goal: the time-out"),
    ]
