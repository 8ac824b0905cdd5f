"""An event storm through the sandbox: event bus, the checker in the emulator, the incidents table and the durable service."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sandbox.simulation.aws_account import CHECKER, CLUSTER, REMEDIATOR
from tests.chaos.fleet import kinds
from tests.chaos.round_result import RoundResult
from tests.chaos.sandbox_runs import generation, past, sandbox_env, wait_for, wait_until_closed


def one_fault(count: int) -> RoundResult:
    """`count` events of every kind for one broken cluster: one execution, one restart, and a check after every signal."""
    began = time.monotonic()
    with sandbox_env("annotation-missing") as env:
        now = datetime.now(UTC)
        events = [kind for kind in kinds(now, CLUSTER) if kind["source"] != "aws.ssm"]  # a parameter's change names another path here
        env.bus.put_all([{**events[n % len(events)], "id": f"storm-{n}"} for n in range(count)])
        wait_for(lambda: len(env.bus.deliveries()) >= count, "the hand-over of every event", timeout_s=120)
        wait_for(lambda: _handled(env.lines) >= count, "the check of every event", timeout_s=300)
        closed = wait_until_closed(env, timeout_s=120)
        executions = env.aws.client("lambda").list_durable_executions_by_function(FunctionName=REMEDIATOR)["DurableExecutions"]
        history = past(env)
        repairs = [item for item in history if item["outcome"]["S"] == "verified"]
        dead = env.dead_letters.waiting(CHECKER)
        return RoundResult(
            round="storm: through bus and emulator",
            faults=count,
            runs=1,
            converged=int(closed and len(repairs) == 1 and not dead),
            extra_restarts=generation(env) - 2,
            messages=len(env.messages()),
            lost=max(0, count - _handled(env.lines)),
            seconds=time.monotonic() - began,
            note=f"{count:,} events, {len(executions)} execution, {sum(int(item['signals']['N']) for item in history)} counted on it",
        )


def _handled(lines: list[tuple[str, str]]) -> int:
    """Number of events that the checker's log shows as processed."""
    said = ("counted on the open incident", "answered by a check", "deferred to the check that holds the lease", '"title":"diagnosis"')
    return sum(function == CHECKER and any(item in line for item in said) for function, line in list(lines))
