"""Cold start of the remediator to its first write, compared with a minimal durable function that makes the same reads and write."""

import time
from datetime import UTC, datetime
from typing import Final

from benchmarks.harness import fault_injection, timeline
from benchmarks.harness.emulated_functions import baselines_with_product_packages, cpu_ms, function
from benchmarks.harness.events import check_requested
from benchmarks.harness.measurement import Cost, Measured, interleave
from benchmarks.harness.row import Goal, Row, compare, explain_missed
from benchmarks.harness.run import Run
from sandbox.functions.function import Function
from sandbox.simulation.aws_account import CLUSTER, REMEDIATOR
from sandbox.simulation.deployment import ALIAS
from sandbox.simulation.environment import SandboxEnvironment

NAME: Final = "cold start of the remediator"
_BASELINE: Final = "minimal durable function: boto3, same reads, same write"
_MINIMAL_NAME: Final = "minimal"
_LIMIT: Final = (
    "Both functions load boto3 through the durable SDK. The remediator also reads the incident and its history, publishes to a second topic"
    " and checkpoints each step"
)


def run(run: Run) -> list[Row]:
    """Measure from the start of the execution to the response to the patch, each time in a fresh environment."""
    with SandboxEnvironment(fault_injection.world(run)) as env:
        fault_injection.wait_until("a settled cluster", lambda: fault_injection.is_settled(env))
        plain = function(
            _MINIMAL_NAME,
            baselines_with_product_packages(),
            "durable_minimal.lambda_handler",
            env.functions.pool(REMEDIATOR).function.environment,
        )
        env.functions.add(Function(**{**vars(plain), "durable": True}))
        parts: list[timeline.Shares] = []
        contenders: dict[str, Measured] = {"product": lambda: _run_product(env, parts), _BASELINE: lambda: _run_minimal(env)}
        for contender in contenders.values():
            contender()
        costs = interleave(contenders, run.choose(2, 7))
    goal = Goal(on="ratio", bound=1.1)
    rows = [
        compare(NAME, "start to first write, wall", "wall_ms", costs, baseline=_BASELINE, goal=goal),
        compare(NAME, "start to first write, CPU", "cpu_ms", costs, baseline=_BASELINE, goal=goal),
    ]
    return explain_missed(rows, lambda: timeline.describe(parts), _LIMIT)


def _run_product(env: SandboxEnvironment, parts: list[timeline.Shares]) -> Cost:
    """Return the cost from the response to the checker's Invoke call to the patch. The checker is warm and not measured."""
    fault_injection.inject_fault(env)
    pool = env.functions.pool(REMEDIATOR)
    pool.restart()
    calls, requests = len(env.aws.calls.of(action="lambda:InvokeFunction")), len(fault_injection.kubernetes_requests(env))
    env.bus.put(check_requested(CLUSTER, "person"))
    fault_injection.wait_until("the first write", lambda: fault_injection.patched_at(env, "serviceaccounts", requests))
    cpu = cpu_ms(pool)
    started = next(item.at for item in env.aws.calls.of(action="lambda:InvokeFunction")[calls:] if item.params.get("DurableExecutionName"))
    written = _written(env, requests)
    parts.append(_parts(env, requests, started, written))
    _until_ended(env)
    return Cost(wall_ms=(written - started).total_seconds() * 1e3, cpu_ms=cpu)


def _parts(env: SandboxEnvironment, mark: int, started: datetime, written: datetime) -> timeline.Shares:
    loaded = next(item.at for item in env.aws.calls.of(action="dynamodb:GetItem") if item.at > started)
    collected = max(
        request.when
        for request in fault_injection.kubernetes_requests(env)[mark:]
        if request.method == "GET" and loaded < request.when < written
    )
    return timeline.shares(
        started,
        [
            ("process start to the first call", loaded),
            ("incident row, checkpoint and snapshot", collected),
            ("history, claim and notification", written),
        ],
    )


def _run_minimal(env: SandboxEnvironment) -> Cost:
    fault_injection.inject_fault(env)
    pool = env.functions.pool(_MINIMAL_NAME)
    pool.restart()
    started, requests = datetime.now(UTC), len(fault_injection.kubernetes_requests(env))
    name = f"minimal-{time.monotonic_ns()}"
    env.aws.client("lambda").invoke(
        FunctionName=f"{_MINIMAL_NAME}:{ALIAS}", InvocationType="Event", DurableExecutionName=name, Payload=f'{{"cluster": "{CLUSTER}"}}'
    )
    fault_injection.wait_until("the write of the minimal function", lambda: fault_injection.patched_at(env, "serviceaccounts", requests))
    return Cost(wall_ms=(_written(env, requests) - started).total_seconds() * 1e3, cpu_ms=cpu_ms(pool))


def _written(env: SandboxEnvironment, mark: int) -> datetime:
    written = fault_injection.patched_at(env, "serviceaccounts", mark)
    assert written is not None
    return written


def _until_ended(env: SandboxEnvironment) -> None:
    client = env.aws.client("lambda")

    def ended() -> bool:
        listed = client.list_durable_executions_by_function(FunctionName=REMEDIATOR, MaxItems=100)["DurableExecutions"]
        return all(item["Status"] != "RUNNING" for item in listed)

    fault_injection.wait_until("the end of the repair", ended)
