"""Batches of the control plane's audit log through the node watcher, beside unpacking the same bytes."""

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks import audit_records
from benchmarks.child import in_child
from benchmarks.functions import cold, function
from benchmarks.ground import Ground
from benchmarks.measure import in_turns
from benchmarks.row import Goal, Row, compared
from benchmarks.run import Run
from lambdas.contract.environment import Function
from sandbox.play.deployment import our_asset

NAME: Final = "audit log batches"
_RIVAL: Final = "gzip and orjson, same bytes"


def run(run: Run) -> list[Row]:
    """A batch in which few records matter, and one in which every record does."""
    rows = []
    with Ground() as ground, tempfile.TemporaryDirectory() as folder:
        watcher = function("watcher", our_asset(), Function.NODE_WATCHER.handler, ground.function_environment(), memory_mib=128)
        for name, matter in (("one in fifty matters", 0.02), ("every record matters", 1.0)):
            event, unpacked_mb = audit_records.batch(run.pick(1_000, 10_000), matter)
            rows += _measured(name, event, unpacked_mb, Path(folder) / "batch.json", run)
            peak = cold(watcher, lambda item=event: json.dumps(item).encode()).peak_mb  # type: ignore[misc]
            goal = Goal(on="value", bound=128)
            rows.append(Row(promise=NAME, name=f"{name}, function's peak memory", value=peak, unit="MB", goal=goal))
    return rows


def _measured(name: str, event: dict[str, Any], unpacked_mb: float, file: Path, run: Run) -> list[Row]:
    file.write_text(json.dumps(event))
    arguments = {"batch": str(file)}
    costs = in_turns(
        {
            "ours": lambda: in_child("benchmarks.ours:audit", arguments, {}),
            _RIVAL: lambda: in_child("benchmarks.rivals.plain:unpacked", arguments, {}),
        },
        run.pick(3, 5),
    )
    time = compared(NAME, f"{name}, CPU a batch", "cpu_ms", costs, rival=_RIVAL, goal=Goal(on="ratio", bound=1.3))
    speed = unpacked_mb / time.value * 1e3
    theirs = unpacked_mb / (time.rival_value or 1) * 1e3
    note = f"{event['records']:,} records, {unpacked_mb:.1f} MB unpacked"
    fast = Row(promise=NAME, name=f"{name}, throughput", value=speed, unit="MB/s", rival=_RIVAL, rival_value=theirs, note=note)
    return [time, fast]
