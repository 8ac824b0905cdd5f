"""Detection: seconds from the fault to the decision for each trigger source alone, and the requests of the check."""

import json
import time
from collections import Counter
from typing import Final

from benchmarks.harness import fault_injection
from benchmarks.harness.row import Goal, Row
from benchmarks.harness.run import Run
from sandbox.simulation import trigger_events
from sandbox.simulation.aws_account import CHECKER
from sandbox.simulation.checker_reads import decision, read_since, request_counts
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.trigger_sources import TRIGGER_SOURCES, enable_only

NAME: Final = "detection, one source alone"
_GOAL: Final = Goal(on="value", bound=5)
"""Design goal: seconds from an event to the decision."""

_QUICK_SOURCES: Final = ("add-on call", "audit log: identity changed", "sweep")


def run(run: Run) -> list[Row]:
    """Measure each source in a sandbox of its own, with every other source disabled. The checker is warm, the node watcher is cold."""
    chosen = run.choose(_QUICK_SOURCES, tuple(TRIGGER_SOURCES))
    if others := [name for name in TRIGGER_SOURCES if name not in chosen]:
        run.skip(f"{NAME}: {', '.join(others)}")
    return [_row(name, run) for name in chosen]


def _row(name: str, run: Run) -> Row:
    source = TRIGGER_SOURCES[name]
    with SandboxEnvironment(fault_injection.world(run)) as env:
        fault_injection.wait_until("a settled cluster", lambda: fault_injection.is_settled(env))
        _warm(env)
        enable_only(env, source)
        before, began = request_counts(env), time.monotonic()
        source.inject_fault(env)
        source.send(env)
        took = fault_injection.wait_until(f"a decision after {name}", lambda: decision(env)) - began
        kubernetes, aws = read_since(env, before)
        requests = f"{_counted(kubernetes, 'Kubernetes')}; {_counted(aws, 'AWS')}"
        note = f"{decision(env)}; {requests}{'; on AWS: ' + source.aws_delay if source.aws_delay else ''}"
    run.log(f"{name}: {took:.2f} s")
    return Row(benchmark=NAME, name=name, value=took, unit="s", goal=_GOAL, note=note)


def _counted(read: Counter[str], where: str) -> str:
    return f"{read.total()} {where} requests ({', '.join(f'{count} {name}' for name, count in sorted(read.items()))})"


def _warm(env: SandboxEnvironment) -> None:
    """Run one healthy check by invoking the function directly."""
    event = trigger_events.check_request()
    assert not env.functions.pool(CHECKER).invoke(json.dumps(event).encode()).failed
    fault_injection.wait_until("the log line of the check", lambda: any('"diagnosis"' in line for _, line in list(env.lines)))
    time.sleep(1.1)  # this check would answer an event of the same second
    env.lines.clear()
