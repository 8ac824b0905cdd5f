"""Latency and price of a check by memory size: the function runs with the share of a processor that Lambda gives each size."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.harness import cost_model
from benchmarks.harness.cpu_share import CpuShare, NoCpuQuota
from benchmarks.harness.emulated_functions import FunctionFailed, function
from benchmarks.harness.events import check_requested, payload
from benchmarks.harness.measurement import Cost, interleave, sample
from benchmarks.harness.row import Row
from benchmarks.harness.static_fleet import StaticFleet
from benchmarks.harness.table import MEMORY_SIZES
from lambdas.contract.environment import Function
from sandbox.functions.execution_environment import Environment
from sandbox.simulation.deployment import function_asset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.harness.run import Run
    from sandbox.functions.function import Function as Measured

_NETWORK_MS: Final = 100.0
"""Assumed network time of a check, which one machine cannot measure. CPU time costs the same at each size, waiting does not."""
SIZES_MIB: Final = (128, 256, 512, 1024, cost_model.FULL_CPU_MIB)
_BATCH: Final = 5
"""Warm checks in one measurement."""
_MILLION: Final = 1e6


def run(run: Run) -> list[Row]:
    """Measure cold start and warm check at each size, interleaved."""
    try:
        with CpuShare(SIZES_MIB[0]):
            pass
    except NoCpuQuota as error:
        run.skip(f"{MEMORY_SIZES}: {error}")
        return []
    with StaticFleet() as fleet:
        environment = fleet.function_environment()
        checkers = {mib: function("checker", function_asset(), Function.CHECKER.handler, environment, mib) for mib in SIZES_MIB}
        _measure(checkers[SIZES_MIB[-1]], SIZES_MIB[-1])  # one run that is not measured fills the page cache
        cold_costs: dict[int, list[Cost]] = {mib: [] for mib in SIZES_MIB}

        def both(mib: int) -> Cost:
            cold, warm = _measure(checkers[mib], mib)
            cold_costs[mib].append(cold)
            return warm

        warm_costs = interleave({str(mib): partial(both, mib) for mib in SIZES_MIB}, run.choose(1, 5))
    return [
        *_rows({str(mib): costs for mib, costs in cold_costs.items()}, "cold start"),
        *_rows(warm_costs, "warm check"),
        *_prices(warm_costs),
    ]


def _measure(checker: Measured, mib: int) -> tuple[Cost, Cost]:
    """Return the costs of init plus first check, and of one of several warm checks, in a new environment with this share."""
    started = Environment(checker)
    with CpuShare(mib) as share:
        try:
            started.start()
            share.add(started.emulator_pids())
            cold = _check(started)
            began = time.perf_counter()
            for _ in range(_BATCH):
                _check(started)
            warm = (time.perf_counter() - began) * 1e3 / _BATCH
        finally:
            started.close()
    return Cost(wall_ms=cold), Cost(wall_ms=warm)


def _check(environment: Environment) -> float:
    ended = environment.invoke(payload(check_requested(trigger="identity-changed")))
    if b"no-fault-found" not in ended.payload:
        raise FunctionFailed(f"{environment.function.name}: {ended.payload.decode(errors='replace')[:800]}")
    return ended.duration_ms


def _rows(costs: Mapping[str, Sequence[Cost]], name: str) -> list[Row]:
    found = {mib: sample(measured, "wall_ms") for mib, measured in costs.items()}
    return [
        Row(benchmark=MEMORY_SIZES, name=f"{name}, {mib} MB", value=of.median, unit="ms", spread=of.spread, runs=len(of.values))
        for mib, of in found.items()
    ]


def _prices(warm: Mapping[str, Sequence[Cost]]) -> list[Row]:
    """The price of the compute time of a million warm checks, with the network time that one machine cannot measure."""
    rows = []
    for mib, measured in warm.items():
        of = sample(measured, "wall_ms")
        seconds = (of.median + _NETWORK_MS) / 1e3
        price = seconds * int(mib) / 1024 * cost_model.gb_second() * _MILLION
        rows.append(Row(benchmark=MEMORY_SIZES, name=f"a million warm checks, {mib} MB", value=price, unit="USD"))
    return rows
