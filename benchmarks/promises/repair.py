"""From the event to patched and restarted, warm, beside people's script; and the durable operations of a repair."""

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import stages
from benchmarks.events import check_requested
from benchmarks.measure import Cost, Sample
from benchmarks.row import Goal, Row, compared
from benchmarks.run import Run
from sandbox.control_plane import binaries
from sandbox.play.accounts import CHECKER, CLUSTER, REMEDIATOR, resolved
from sandbox.play.scenario import BOUND
from sandbox.play.stage import Stage

NAME: Final = "event to repaired, warm"
_PEOPLE: Final = "people: get-token, kubectl annotate, kubectl rollout restart"
_SCRIPT: Final = Path(__file__).parent.parent / "rivals" / "people.sh"
_TOKEN: Final = Path(__file__).parent.parent / "rivals" / "get_token.py"


def run(run: Run) -> list[Row]:
    """The same fault for both by turns. People's clock starts when they press return; ours when the event is on the bus."""
    with Stage(stages.WORLD) as stage:
        stages.until("the world to stand", lambda: stages.calm(stage))
        _ours(stage)  # warms both functions
        patched: list[Cost] = []
        whole: list[Cost] = []
        people: list[Cost] = []
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(run.pick(1, 5)):
                annotated, restarted = _ours(stage)
                patched.append(annotated)
                whole.append(restarted)
                if binaries.find().found.get("kubectl"):
                    people.append(_peoples(stage, Path(folder)))
        operations = Sample(tuple(float(stages.operations(stage, arn)) for arn in stages.executions(stage)))
        plain = _operations_of_checker(stage)
    run.facts["operations"] = max(operations.values)
    counted = [
        Row(
            promise="durable operations",
            name="a repair",
            value=max(operations.values),
            unit="operations",
            goal=Goal(on="value", bound=40),
            runs=len(operations.values),
            spread=operations.spread,
            note="annotate, one pod, restart, proof and messages, from the history of each execution",
        ),
        Row(promise="durable operations", name="a healthy check", value=plain, unit="operations", goal=Goal(on="value", bound=0)),
    ]
    if not people:
        run.say("there is no kubectl in the cache, so people's script could not be measured; `make e2e` builds it")
        return counted
    goal = Goal(on="ratio", bound=10, at_least=True)
    return [
        compared(NAME, "to patched", "wall_ms", {"ours": patched, _PEOPLE: people}, rival=_PEOPLE, upside_down=True),
        compared(
            NAME,
            "to patched and restarted",
            "wall_ms",
            {"ours": whole, _PEOPLE: people},
            rival=_PEOPLE,
            goal=goal,
            upside_down=True,
            note="ours replaces one pod first and waits until it is Ready with the role; people's script restarts unseen",
        ),
        *counted,
    ]


def _ours(stage: Stage) -> tuple[Cost, Cost]:
    stages.break_it(stage)
    known, began, event_at = len(stages.executions(stage)), time.monotonic(), datetime.now(UTC)
    stage.bus.put(check_requested(CLUSTER, "person"))
    stages.until("an execution", lambda: len(stages.executions(stage)) > known)
    stages.until("the restart", lambda: _patched(stage, "daemonsets", event_at))
    annotated = _patched(stage, "serviceaccounts", event_at)
    restarted = _patched(stage, "daemonsets", event_at)
    client = stage.aws.client("lambda")
    arn = stages.executions(stage)[-1]
    stages.until(
        "the end of the repair", lambda: client.get_durable_execution(DurableExecutionArn=arn)["Status"] in ("SUCCEEDED", "FAILED")
    )
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "SUCCEEDED", "the repair failed"
    assert time.monotonic() > began
    return Cost(wall_ms=annotated * 1e3), Cost(wall_ms=restarted * 1e3)


def _patched(stage: Stage, resource: str, since: datetime) -> float:
    """Seconds from then to the answer to the first patch of such an object; 0 where there is none yet."""
    for it in stages.requests(stage):
        if it.method == "PATCH" and f"/{resource}/" in it.path and it.when >= since and it.status < 300:
            return (it.when - since).total_seconds()
    return 0.0


def _operations_of_checker(stage: Stage) -> int:
    return len(stage.aws.client("lambda").list_durable_executions_by_function(FunctionName=CHECKER)["DurableExecutions"])


def _peoples(stage: Stage, folder: Path) -> Cost:
    stages.break_it(stage)
    environment = _peoples_environment(stage, folder)
    began = time.monotonic()
    done = subprocess.run(["/bin/sh", str(_SCRIPT)], env=environment, capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr[-800:]
    assert stages.annotated(stage), "people's script annotated nothing"
    stages.until("the roll-out that people started", lambda: stages.calm(stage))
    return Cost(wall_ms=took * 1e3)


def _peoples_environment(stage: Stage, folder: Path) -> dict[str, str]:
    authority = folder / "ca.pem"
    authority.write_bytes(stage.ground.ca_pem)
    return {
        **stage.aws.environment(REMEDIATOR),
        "PATH": f"{Path(binaries.find().path('kubectl')).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "GET_TOKEN": f"{sys.executable} {_TOKEN}",
        "SERVER": stage.ground.url,
        "CA": str(authority),
        "CLUSTER": CLUSTER,
        "ROLE_ARN": str(resolved(BOUND)),
    }
