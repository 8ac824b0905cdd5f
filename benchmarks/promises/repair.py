"""From the event to patched and restarted, warm, beside people's script; and the durable operations of a repair."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks import stages, timeline
from benchmarks.aws_cli import get_token
from benchmarks.events import check_requested
from benchmarks.measure import Cost, Sample
from benchmarks.row import Goal, Row, compared, explained
from benchmarks.run import Run
from sandbox.control_plane import binaries
from sandbox.play.accounts import CHECKER, CLUSTER, REMEDIATOR, resolved
from sandbox.play.scenario import BOUND
from sandbox.play.stage import Stage

NAME: Final = "event to repaired, warm"
_PEOPLE: Final = "people: aws eks get-token, kubectl annotate, kubectl rollout restart"
_SCRIPT: Final = Path(__file__).parent.parent / "rivals" / "people.sh"
_END_WITHIN_S: Final = 240.0
_LIMIT: Final = (
    "Some thirty requests follow one another, none waits for the durable service. Without the message before the change and the pod that is"
    " tried first it would be near the goal, and people would hear of a change after it, and a wrong role would reach every pod"
)
_END_S: Final = 0.1  # the end of a repair is not timed, and is not to be asked for all the time


def run(run: Run) -> list[Row]:
    """The same fault for both by turns. People's clock starts when they press return; ours when the event is on the bus."""
    there = binaries.find().found.get("kubectl") is not None
    token = get_token(run.say) if there else ()
    patched: dict[str, list[Cost]] = {"ours": [], _PEOPLE: []}
    restarted: dict[str, list[Cost]] = {"ours": [], _PEOPLE: []}
    parts: list[timeline.Shares] = []

    def note(whose: str, took: tuple[Cost, Cost]) -> None:
        patched[whose].append(took[0])
        restarted[whose].append(took[1])

    with Stage(stages.world(run)) as stage, tempfile.TemporaryDirectory() as folder:
        stages.until("the world to stand", lambda: stages.calm(stage))
        _ours(stage)  # warms both functions
        environment = _peoples_environment(stage, Path(folder), token) if there else {}
        if there:
            _peoples(stage, environment)  # kubectl keeps what it discovers of a cluster
        for _ in range(run.pick(1, 5)):
            mark, began_at = len(stages.requests(stage)), datetime.now(UTC)
            note("ours", _ours(stage))
            parts.append(_parts(stage, mark, began_at))
            if there:
                note(_PEOPLE, _peoples(stage, environment))
        operations = Sample(tuple(float(stages.operations(stage, arn)) for arn in stages.executions(stage)))
        plain = _operations_of_checker(stage)
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
    if not there:
        run.leave_out(f"{NAME}: there is no kubectl in the cache for people's script, and `make e2e` builds it")
        return counted
    rows = [
        compared(NAME, "to patched", "wall_ms", patched, rival=_PEOPLE, upside_down=True),
        compared(
            NAME,
            "to patched and restarted",
            "wall_ms",
            restarted,
            rival=_PEOPLE,
            goal=Goal(on="ratio", bound=10, at_least=True),
            upside_down=True,
            note="ours replaces one pod first and waits until it is Ready with the role; people's script restarts unseen",
        ),
    ]
    return [*explained(rows, lambda: timeline.told(parts), _LIMIT), *counted]


def _ours(stage: Stage) -> tuple[Cost, Cost]:
    stages.break_it(stage)
    mark, began_at = len(stages.requests(stage)), datetime.now(UTC)
    stage.bus.put(check_requested(CLUSTER, "identity-changed"))
    stages.until("the restart", lambda: _patched_at(stage, "daemonsets", mark))
    client, arn = stage.aws.client("lambda"), stages.executions(stage)[-1]
    stages.until(
        "the end of the repair",
        lambda: client.get_durable_execution(DurableExecutionArn=arn)["Status"] != "RUNNING",
        within_s=_END_WITHIN_S,
        every_s=_END_S,
    )
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "SUCCEEDED", "the repair failed"
    return _took(stage, mark, began_at)


def _took(stage: Stage, mark: int, began_at: datetime) -> tuple[Cost, Cost]:
    """To the ServiceAccount's annotation, and to the restart."""
    annotated, restarted = (_patched_at(stage, resource, mark) for resource in ("serviceaccounts", "daemonsets"))
    assert annotated, "nothing was annotated"
    assert restarted, "nothing was restarted"
    return Cost(wall_ms=(annotated - began_at).total_seconds() * 1e3), Cost(wall_ms=(restarted - began_at).total_seconds() * 1e3)


def _parts(stage: Stage, mark: int, since: datetime) -> timeline.Shares:
    """From the event, which is the first on the bus, to the restart."""
    calls = [call for call in stage.aws.calls.all() if call.at >= since]
    put = next(call.at for call in calls if call.action == "events:PutEvents")
    started = next(call.at for call in calls if call.action == "lambda:InvokeFunction" and call.params.get("DurableExecutionName"))
    annotated, restarted = (_patched_at(stage, resource, mark) for resource in ("serviceaccounts", "daemonsets"))
    assert annotated, "nothing was annotated"
    assert restarted, "nothing was restarted"
    looked = max(
        request.when for request in stages.requests(stage)[mark:] if request.method == "GET" and started < request.when < annotated
    )
    return timeline.shares(
        put,
        [
            ("the check, to the claim of the incident", started),
            ("the execution's own look", looked),
            ("the message before the change", annotated),
            ("one pod, until it is Ready with the role", restarted),
        ],
    )


def _patched_at(stage: Stage, resource: str, mark: int) -> datetime | None:
    """When such an object was first patched by a request after the first `mark`; None where it was not."""
    found = (request for request in stages.requests(stage)[mark:] if request.method == "PATCH" and f"/{resource}/" in request.path)
    return next((item.when for item in found if item.status < 300), None)


def _operations_of_checker(stage: Stage) -> int:
    return len(stage.aws.client("lambda").list_durable_executions_by_function(FunctionName=CHECKER)["DurableExecutions"])


def _peoples(stage: Stage, environment: Mapping[str, str]) -> tuple[Cost, Cost]:
    stages.break_it(stage)
    mark, began_at = len(stages.requests(stage)), datetime.now(UTC)
    done = subprocess.run(["/bin/sh", str(_SCRIPT)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    stages.until("the roll-out that people started", lambda: stages.calm(stage))
    return _took(stage, mark, began_at)


def _peoples_environment(stage: Stage, folder: Path, token: Sequence[str]) -> dict[str, str]:
    authority = folder / "ca.pem"
    authority.write_bytes(stage.ground.ca_pem)
    # The token is a URL of the real STS, which is signed and not asked.
    principal = {name: value for name, value in stage.aws.environment(REMEDIATOR).items() if not name.startswith("AWS_ENDPOINT_URL")}
    return {
        **principal,
        "PATH": f"{Path(binaries.find().path('kubectl')).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "GET_TOKEN": shlex.join(token),
        "SERVER": stage.ground.url,
        "CA": str(authority),
        "CLUSTER": CLUSTER,
        "ROLE_ARN": str(resolved(BOUND)),
    }
