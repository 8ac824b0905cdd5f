"""Each way the trouble announces itself, alone: seconds from the fault to the decision, and what was read."""

import json
import time
from collections import Counter
from typing import Final

from benchmarks import stages
from benchmarks.row import Goal, Row
from benchmarks.run import Run
from sandbox.play import announcing
from sandbox.play.accounts import CHECKER
from sandbox.play.reading import decision, mark, read_since
from sandbox.play.sources import SOURCES, leave_only
from sandbox.play.stage import Stage

NAME: Final = "detection, one source alone"
_GOAL: Final = Goal(on="value", bound=5)
"""Seconds from an event to the decision, as the design promises it."""

_A_FEW: Final = ("add-on call", "audit log: identity changed", "sweep")


def run(run: Run) -> list[Row]:
    """A stage of its own for each, so that no other source can have told; the checker is warm, the node watcher is not."""
    asked = run.pick(_A_FEW, tuple(SOURCES))
    if others := [name for name in SOURCES if name not in asked]:
        run.leave_out(f"{NAME}: {', '.join(others)}")
    return [_row(name, run) for name in asked]


def _row(name: str, run: Run) -> Row:
    source = SOURCES[name]
    with Stage(stages.world(run)) as stage:
        stages.until("the world to stand", lambda: stages.calm(stage))
        _warm(stage)
        leave_only(stage, source)
        before, began = mark(stage), time.monotonic()
        source.fault(stage)
        source.tell(stage)
        took = stages.until(f"a decision after {name}", lambda: decision(stage)) - began
        kubernetes, aws = read_since(stage, before)
        read = f"{_counted(kubernetes, 'Kubernetes')}; {_counted(aws, 'AWS')}"
        told = f"{decision(stage)}; {read}{'; elsewhere: ' + source.elsewhere if source.elsewhere else ''}"
    run.say(f"{name}: {took:.2f} s")
    return Row(promise=NAME, name=name, value=took, unit="s", goal=_GOAL, note=told)


def _counted(read: Counter[str], where: str) -> str:
    return f"{read.total()} {where} requests ({', '.join(f'{count} {name}' for name, count in sorted(read.items()))})"


def _warm(stage: Stage) -> None:
    """One check that finds all well, asked of the function itself."""
    event = announcing.announcement("check-requested")
    assert not stage.functions.pool(CHECKER).invoke(json.dumps(event).encode()).failed
    stages.until("the check's line", lambda: any('"diagnosis"' in line for _, line in list(stage.lines)))
    time.sleep(1.1)  # an event of the same second would be answered by this check
    stage.lines.clear()
