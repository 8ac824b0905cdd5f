"""Warm repair: time from the event to the patch and the restart compared with a kubectl script, and its durable operations."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.harness import fault_injection, timeline
from benchmarks.harness.aws_cli import token_command
from benchmarks.harness.events import check_requested
from benchmarks.harness.measurement import Cost, Sample
from benchmarks.harness.row import Goal, Row, compare, explain_missed
from benchmarks.harness.run import Run
from sandbox.control_plane import binaries
from sandbox.simulation.aws_account import CHECKER, CLUSTER, REMEDIATOR, resolve_role
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import BOUND

NAME: Final = "event to repaired, warm"
_SCRIPT_NAME: Final = "script: aws eks get-token, kubectl annotate, kubectl rollout restart"
_SCRIPT: Final = Path(__file__).parent.parent / "baselines" / "kubectl_script.sh"
_GOAL: Final = Goal(on="ratio", bound=6, at_least=True)
_END_WITHIN_S: Final = 240.0
_LIMIT: Final = (
    "A repair is about thirty sequential requests; none waits for the durable service. The notification before the write and the canary pod"
    " take half of the time. Both stay: they announce the change and keep a wrong role from reaching every pod"
)
_END_S: Final = 0.1  # the end of a repair is not measured, so it is polled slowly


def run(run: Run) -> list[Row]:
    """Repair the same fault alternately. The script's time starts with its process, the product's with the event on the bus."""
    has_kubectl = binaries.find().found.get("kubectl") is not None
    token = token_command(run.log) if has_kubectl else ()
    patched: dict[str, list[Cost]] = {"product": [], _SCRIPT_NAME: []}
    restarted: dict[str, list[Cost]] = {"product": [], _SCRIPT_NAME: []}
    parts: list[timeline.Shares] = []

    def record(contender: str, costs: tuple[Cost, Cost]) -> None:
        patched[contender].append(costs[0])
        restarted[contender].append(costs[1])

    with SandboxEnvironment(fault_injection.world(run)) as env, tempfile.TemporaryDirectory() as folder:
        fault_injection.wait_until("a settled cluster", lambda: fault_injection.is_settled(env))
        _run_product(env)  # warms both functions
        environment = _script_environment(env, Path(folder), token) if has_kubectl else {}
        if has_kubectl:
            _run_script(env, environment)  # fills kubectl's discovery cache
        for _ in range(run.choose(1, 5)):
            mark, began_at = len(fault_injection.kubernetes_requests(env)), datetime.now(UTC)
            record("product", _run_product(env))
            parts.append(_parts(env, mark, began_at))
            if has_kubectl:
                record(_SCRIPT_NAME, _run_script(env, environment))
        operations = Sample(tuple(float(fault_injection.count_operations(env, arn)) for arn in fault_injection.list_executions(env)))
        plain = _operations_of_checker(env)
    counted = [
        Row(
            benchmark="durable operations",
            name="a repair",
            value=max(operations.values),
            unit="operations",
            goal=Goal(on="value", bound=40),
            runs=len(operations.values),
            spread=operations.spread,
            note="annotation, canary pod, restart, verification and notifications, from the history of each execution",
        ),
        Row(benchmark="durable operations", name="a healthy check", value=plain, unit="operations", goal=Goal(on="value", bound=0)),
    ]
    if not has_kubectl:
        run.skip(f"{NAME}: the script needs kubectl, which `make e2e` builds")
        return counted
    rows = [
        compare(NAME, "to patched", "wall_ms", patched, baseline=_SCRIPT_NAME, goal=_GOAL, inverted=True),
        compare(
            NAME,
            "to patched and restarted",
            "wall_ms",
            restarted,
            baseline=_SCRIPT_NAME,
            goal=_GOAL,
            inverted=True,
            note="the product replaces a canary pod first and waits until it is Ready with the role; the script does not",
        ),
    ]
    return [*explain_missed(rows, lambda: timeline.describe(parts), _LIMIT), *counted]


def _run_product(env: SandboxEnvironment) -> tuple[Cost, Cost]:
    fault_injection.inject_fault(env)
    mark, began_at = len(fault_injection.kubernetes_requests(env)), datetime.now(UTC)
    env.bus.put(check_requested(CLUSTER, "identity-changed"))
    fault_injection.wait_until("the restart", lambda: fault_injection.patched_at(env, "daemonsets", mark))
    client, arn = env.aws.client("lambda"), fault_injection.list_executions(env)[-1]
    fault_injection.wait_until(
        "the end of the repair",
        lambda: client.get_durable_execution(DurableExecutionArn=arn)["Status"] != "RUNNING",
        within_s=_END_WITHIN_S,
        every_s=_END_S,
    )
    assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "SUCCEEDED", "the repair failed"
    return _took(env, mark, began_at)


def _took(env: SandboxEnvironment, mark: int, began_at: datetime) -> tuple[Cost, Cost]:
    """Return the time to the annotation and the time to the restart."""
    annotated, restarted = (fault_injection.patched_at(env, resource, mark) for resource in ("serviceaccounts", "daemonsets"))
    assert annotated, "no ServiceAccount was patched"
    assert restarted, "no DaemonSet was patched"
    return Cost(wall_ms=(annotated - began_at).total_seconds() * 1e3), Cost(wall_ms=(restarted - began_at).total_seconds() * 1e3)


def _parts(env: SandboxEnvironment, mark: int, since: datetime) -> timeline.Shares:
    """Return the share of each part of the time from the event to the restart."""
    calls = [call for call in env.aws.calls.all() if call.at >= since]
    put = next(call.at for call in calls if call.action == "events:PutEvents")
    started = next(call.at for call in calls if call.action == "lambda:InvokeFunction" and call.params.get("DurableExecutionName"))
    annotated, restarted = (fault_injection.patched_at(env, resource, mark) for resource in ("serviceaccounts", "daemonsets"))
    assert annotated, "no ServiceAccount was patched"
    assert restarted, "no DaemonSet was patched"
    collected = max(
        request.when
        for request in fault_injection.kubernetes_requests(env)[mark:]
        if request.method == "GET" and started < request.when < annotated
    )
    return timeline.shares(
        put,
        [
            ("check, to the claim of the incident", started),
            ("snapshot of the execution", collected),
            ("notification before the write", annotated),
            ("canary pod, until Ready with the role", restarted),
        ],
    )


def _operations_of_checker(env: SandboxEnvironment) -> int:
    return len(env.aws.client("lambda").list_durable_executions_by_function(FunctionName=CHECKER)["DurableExecutions"])


def _run_script(env: SandboxEnvironment, environment: Mapping[str, str]) -> tuple[Cost, Cost]:
    fault_injection.inject_fault(env)
    mark, began_at = len(fault_injection.kubernetes_requests(env)), datetime.now(UTC)
    completed = subprocess.run(["/bin/sh", str(_SCRIPT)], env=environment, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr[-800:]
    fault_injection.wait_until("the rollout that the script started", lambda: fault_injection.is_settled(env))
    return _took(env, mark, began_at)


def _script_environment(env: SandboxEnvironment, folder: Path, token: Sequence[str]) -> dict[str, str]:
    authority = folder / "ca.pem"
    authority.write_bytes(env.backend.ca_pem)
    # The token is a presigned URL of the real STS; signing needs no request.
    principal = {name: value for name, value in env.aws.environment(REMEDIATOR).items() if not name.startswith("AWS_ENDPOINT_URL")}
    return {
        **principal,
        "PATH": f"{Path(binaries.find().path('kubectl')).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "GET_TOKEN": shlex.join(token),
        "SERVER": env.backend.url,
        "CA": str(authority),
        "CLUSTER": CLUSTER,
        "ROLE_ARN": str(resolve_role(BOUND)),
    }
