"""Injects the fault of the original incident into a sandbox repeatedly, with warm functions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.incidents import PARTITION_KEY, SORT_KEY
from sandbox.cluster import aws_node
from sandbox.cluster.resources import DAEMON_SETS, PODS, SERVICE_ACCOUNTS
from sandbox.simulation.aws_account import NAMESPACE, REMEDIATOR, TABLE
from sandbox.simulation.cluster_backend import EmbeddedBackend, nodes_ready
from sandbox.simulation.scenario import BOUND, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from benchmarks.harness.run import Run
    from sandbox.cluster.http_messages import RequestRecord
    from sandbox.simulation.environment import SandboxEnvironment

POLL_S: Final = 0.005
LONGEST_S: Final = 90.0


def world(run: Run) -> World:
    """Return a world whose nodes stay Ready without the role and whose policies block no repair, so that the fault can be repeated.

    A quick run has half the nodes: the repair takes the same steps and its rollout ends sooner.
    """
    settings = {"cooldown_s": "0", "max_repairs_per_hour": "60", "addon_record": "notify-only"}
    return World(nodes=run.choose(3, 6), addon_role=BOUND, node_role_has_permissions=True, settings=settings)


class WaitTimeout(TimeoutError):
    """The awaited condition did not become true in time."""


def wait_until(what: str, condition: Callable[[], Any], within_s: float = LONGEST_S, every_s: float = POLL_S) -> float:
    """Poll the condition. Returns the time (`time.monotonic()`) at which it was true.

    Raises:
        WaitTimeout: it did not become true; names `what`.
    """
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return time.monotonic()
        time.sleep(every_s)
    raise WaitTimeout(what)


def kubernetes_requests(env: SandboxEnvironment) -> list[RequestRecord]:
    """Return all requests that the cluster has received."""
    assert isinstance(env.backend, EmbeddedBackend), "the real control plane records no requests"
    return env.backend.cluster.requests


def patched_at(env: SandboxEnvironment, resource: str, mark: int) -> datetime | None:
    """Return the time of the first successful patch of the resource after the first `mark` requests, or None."""
    patches = (request for request in kubernetes_requests(env)[mark:] if request.method == "PATCH" and f"/{resource}/" in request.path)
    return next((patch.when for patch in patches if patch.status < 300), None)


def set_annotation(env: SandboxEnvironment, value: str | None) -> None:
    """Set or remove the annotation as another client."""
    patch = {"metadata": {"annotations": {aws_node.ROLE_KEY: value}}}
    env.backend.patch(SERVICE_ACCOUNTS, aws_node.NAME, NAMESPACE, patch, "another-client")


def list_executions(env: SandboxEnvironment) -> list[str]:
    """Return the ARNs of the remediator's executions, oldest first."""
    listed = env.aws.client("lambda").list_durable_executions_by_function(FunctionName=REMEDIATOR, MaxItems=100)
    found = sorted(listed["DurableExecutions"], key=lambda execution: str(execution["StartTimestamp"]))
    return [execution["DurableExecutionArn"] for execution in found]


def count_operations(env: SandboxEnvironment, arn: str) -> int:
    """Count the durable operations of an execution as AWS meters them: each poll and each retry counts."""
    return env.functions.durable.usage(arn).operations


def replace_pods(env: SandboxEnvironment) -> None:
    """Delete every aws-node pod and wait until each has a Ready successor."""
    before = {pod["metadata"]["uid"] for pod in env.backend.all_of(PODS, NAMESPACE)}
    for pod in env.backend.all_of(PODS, NAMESPACE):
        env.backend.delete(PODS, pod["metadata"]["name"], NAMESPACE)

    def replaced() -> bool:
        return is_settled(env) and not before & {pod["metadata"]["uid"] for pod in _pods(env)}

    wait_until("successors of the deleted pods", replaced)


def is_settled(env: SandboxEnvironment) -> bool:
    """Return whether every node and pod is Ready, with one pod on each node, and no rollout is in progress."""
    ready, total = nodes_ready(env.backend)
    pods = _pods(env)
    return ready == total > 0 and len(pods) == total and all(map(_ready, pods)) and _rolled_out(env, total)


def inject_fault(env: SandboxEnvironment) -> None:
    """Remove the annotation and replace the pods. Deletes the repair history first, so that the tug-of-war policy does not block."""
    _delete_history(env)
    set_annotation(env, None)
    replace_pods(env)


def _delete_history(env: SandboxEnvironment) -> None:
    table = env.aws.client("dynamodb")
    for row in table.scan(TableName=TABLE)["Items"]:
        table.delete_item(TableName=TABLE, Key={name: row[name] for name in (PARTITION_KEY, SORT_KEY)})


def _pods(env: SandboxEnvironment) -> list[Any]:
    return [pod for pod in env.backend.all_of(PODS, NAMESPACE) if "deletionTimestamp" not in pod["metadata"]]


def _rolled_out(env: SandboxEnvironment, desired: int) -> bool:
    workload = env.backend.find(DAEMON_SETS, aws_node.NAME, NAMESPACE) or {}
    status, generation = workload.get("status", {}), workload.get("metadata", {}).get("generation")
    return bool(status.get("observedGeneration") == generation and status.get("updatedNumberScheduled") == desired)


def _ready(pod: Any) -> bool:
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in pod.get("status", {}).get("conditions", ()))
