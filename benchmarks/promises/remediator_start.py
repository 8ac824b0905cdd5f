"""Cold start of the remediator to its first write, beside the durable SDK's own hello that makes the floor's calls and the same write."""

import time
from datetime import UTC, datetime
from typing import Final

from benchmarks import stages, timeline
from benchmarks.events import check_requested
from benchmarks.functions import cpu_ms, function, rivals_beside_ours
from benchmarks.measure import Cost, Measured, in_turns
from benchmarks.row import Goal, Row, compared, explained
from benchmarks.run import Run
from sandbox.functions.function import Function
from sandbox.play.accounts import CLUSTER, REMEDIATOR
from sandbox.play.deployment import ALIAS
from sandbox.play.stage import Stage

NAME: Final = "cold start of the remediator"
_RIVAL: Final = "durable SDK's hello, the floor's calls, the same write"
_HELLO: Final = "hello"
_LIMIT: Final = (
    "Both sides pay for the start, where the durable SDK loads boto3. Hello keeps no incident: what is left is the reading of the row, the"
    " history that the rules need, a second topic and the checkpoints around each, so that a crash loses nothing"
)


def run(run: Run) -> list[Row]:
    """From the start of the execution to the answer to the patch, each time in a fresh environment."""
    with Stage(stages.world(run)) as stage:
        stages.until("the world to stand", lambda: stages.calm(stage))
        plain = function(
            _HELLO, rivals_beside_ours(), "durable_hello.lambda_handler", stage.functions.pool(REMEDIATOR).function.environment
        )
        stage.functions.add(Function(**{**vars(plain), "durable": True}))
        parts: list[timeline.Shares] = []
        contenders: dict[str, Measured] = {"ours": lambda: _ours(stage, parts), _RIVAL: lambda: _hello(stage)}
        for each in contenders.values():
            each()
        costs = in_turns(contenders, run.pick(2, 7))
    goal = Goal(on="ratio", bound=1.3)
    rows = [
        compared(NAME, "start to first write, wall", "wall_ms", costs, rival=_RIVAL, goal=goal),
        compared(NAME, "start to first write, CPU", "cpu_ms", costs, rival=_RIVAL, goal=goal),
    ]
    return explained(rows, lambda: timeline.told(parts), _LIMIT)


def _ours(stage: Stage, parts: list[timeline.Shares]) -> Cost:
    """The execution begins when the checker's Invoke is answered; the checker itself is warm and not counted."""
    stages.break_it(stage)
    pool = stage.functions.pool(REMEDIATOR)
    pool.restart()
    calls, requests = len(stage.aws.calls.of(action="lambda:InvokeFunction")), len(stages.requests(stage))
    stage.bus.put(check_requested(CLUSTER, "person"))
    stages.until("the first write", lambda: _patched_at(stage, requests))
    cpu = cpu_ms(pool)
    started = next(
        item.at for item in stage.aws.calls.of(action="lambda:InvokeFunction")[calls:] if item.params.get("DurableExecutionName")
    )
    written = _written(stage, requests)
    parts.append(_parts(stage, requests, started, written))
    _until_ended(stage)
    return Cost(wall_ms=(written - started).total_seconds() * 1e3, cpu_ms=cpu)


def _parts(stage: Stage, mark: int, started: datetime, written: datetime) -> timeline.Shares:
    loaded = next(item.at for item in stage.aws.calls.of(action="dynamodb:GetItem") if item.at > started)
    looked = max(request.when for request in stages.requests(stage)[mark:] if request.method == "GET" and loaded < request.when < written)
    return timeline.shares(
        started,
        [
            ("the start of the process, to its first call", loaded),
            ("the row, its checkpoint and the look", looked),
            ("history, the claim to act and the message", written),
        ],
    )


def _hello(stage: Stage) -> Cost:
    stages.break_it(stage)
    pool = stage.functions.pool(_HELLO)
    pool.restart()
    began, requests = datetime.now(UTC), len(stages.requests(stage))
    name = f"hello-{time.monotonic_ns()}"
    stage.aws.client("lambda").invoke(
        FunctionName=f"{_HELLO}:{ALIAS}", InvocationType="Event", DurableExecutionName=name, Payload=f'{{"cluster": "{CLUSTER}"}}'
    )
    stages.until("hello's write", lambda: _patched_at(stage, requests))
    return Cost(wall_ms=(_written(stage, requests) - began).total_seconds() * 1e3, cpu_ms=cpu_ms(pool))


def _written(stage: Stage, mark: int) -> datetime:
    written = _patched_at(stage, mark)
    assert written is not None
    return written


def _patched_at(stage: Stage, mark: int) -> datetime | None:
    """When the ServiceAccount was patched by one of the requests after the first `mark`; None where it was not."""
    found = (request for request in stages.requests(stage)[mark:] if request.method == "PATCH" and "/serviceaccounts/" in request.path)
    return next((item.when for item in found if item.status < 300), None)


def _until_ended(stage: Stage) -> None:
    client = stage.aws.client("lambda")

    def ended() -> bool:
        listed = client.list_durable_executions_by_function(FunctionName=REMEDIATOR, MaxItems=100)["DurableExecutions"]
        return all(item["Status"] != "RUNNING" for item in listed)

    stages.until("the end of the repair", ended)
