"""Audit log batches: the node watcher compared with only unpacking the same bytes."""

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.harness import audit_records
from benchmarks.harness.child_process import run_in_child
from benchmarks.harness.emulated_functions import function, measure_cold_start
from benchmarks.harness.measurement import interleave
from benchmarks.harness.row import Goal, Row, compare
from benchmarks.harness.run import Run
from benchmarks.harness.static_fleet import StaticFleet
from lambdas.contract.environment import Function
from sandbox.simulation.deployment import function_asset

NAME: Final = "audit log batches"
_BASELINE: Final = "gzip and orjson, same bytes"


def run(run: Run) -> list[Row]:
    """Measure one batch with few relevant records and one with only relevant records."""
    rows = []
    with StaticFleet() as fleet, tempfile.TemporaryDirectory() as folder:
        watcher = function("watcher", function_asset(), Function.NODE_WATCHER.handler, fleet.function_environment(), memory_mib=128)
        for name, share in (("2 % of records relevant", 0.02), ("all records relevant", 1.0)):
            event, unpacked_mb = audit_records.batch(run.choose(1_000, 10_000), share)
            rows += _compare_cpu(name, event, unpacked_mb, Path(folder) / "batch.json", run)
            peak = measure_cold_start(watcher, lambda batch=event: json.dumps(batch).encode()).peak_mb  # type: ignore[misc]
            goal = Goal(on="value", bound=128)
            rows.append(Row(benchmark=NAME, name=f"{name}, function's peak memory", value=peak, unit="MB", goal=goal))
    return rows


def _compare_cpu(name: str, event: dict[str, Any], unpacked_mb: float, file: Path, run: Run) -> list[Row]:
    file.write_text(json.dumps(event))
    arguments = {"batch": str(file)}
    costs = interleave(
        {
            "product": lambda: run_in_child("benchmarks.harness.product:watch_batch", arguments, {}),
            _BASELINE: lambda: run_in_child("benchmarks.baselines.single_operations:unpack_batch", arguments, {}),
        },
        run.choose(3, 5),
    )
    time = compare(NAME, f"{name}, CPU a batch", "cpu_ms", costs, baseline=_BASELINE, goal=Goal(on="ratio", bound=1.3))
    throughput = unpacked_mb / time.value * 1e3
    baseline = unpacked_mb / (time.baseline_value or 1) * 1e3
    note = f"{event['records']:,} records, {unpacked_mb:.1f} MB unpacked"
    return [
        time,
        Row(
            benchmark=NAME,
            name=f"{name}, throughput",
            value=throughput,
            unit="MB/s",
            baseline=_BASELINE,
            baseline_value=baseline,
            note=note,
        ),
    ]
