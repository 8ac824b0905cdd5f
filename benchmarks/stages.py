"""Stages on which the fault of the original incident is made again and again, with functions that are warm."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.incidents import PARTITION_KEY, SORT_KEY
from sandbox.cluster import aws_node
from sandbox.cluster.resources import DAEMON_SETS, PODS, SERVICE_ACCOUNTS
from sandbox.play.accounts import NAMESPACE, REMEDIATOR, TABLE
from sandbox.play.ground import EmbeddedGround, nodes_ready
from sandbox.play.scenario import BOUND, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.run import Run
    from sandbox.cluster.wire import RequestRecord
    from sandbox.play.stage import Stage

POLL_S: Final = 0.005
LONGEST_S: Final = 90.0


def world(run: Run) -> World:
    """Nodes stay Ready without the role, so that the same fault can be made often; no rule keeps a repair back.

    With half the nodes in a quick run: a repair does no less before its restart, and its roll-out ends sooner.
    """
    settings = {"cooldown_s": "0", "max_repairs_per_hour": "60", "addon_record": "tell"}
    return World(nodes=run.pick(3, 6), addon_role=BOUND, node_role_suffices=True, settings=settings)


class NeverHappened(TimeoutError):
    """What was waited for did not come."""


def until(what: str, true: Callable[[], Any], within_s: float = LONGEST_S, every_s: float = POLL_S) -> float:
    """Wait for something; when it was seen (`time.monotonic()`)."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if true():
            return time.monotonic()
        time.sleep(every_s)
    raise NeverHappened(what)


def requests(stage: Stage) -> list[RequestRecord]:
    """What the cluster has been asked so far."""
    assert isinstance(stage.ground, EmbeddedGround), "a control plane of its own keeps no record"
    return stage.ground.cluster.requests


def annotate(stage: Stage, value: str | None) -> None:
    """Set the annotation, or take it away, as somebody else."""
    patch = {"metadata": {"annotations": {aws_node.ROLE_KEY: value}}}
    stage.ground.patch(SERVICE_ACCOUNTS, aws_node.NAME, NAMESPACE, patch, "somebody")


def executions(stage: Stage) -> list[str]:
    """ARNs of the remediator's executions, oldest first."""
    listed = stage.aws.client("lambda").list_durable_executions_by_function(FunctionName=REMEDIATOR, MaxItems=100)
    found = sorted(listed["DurableExecutions"], key=lambda durableexecution: str(durableexecution["StartTimestamp"]))
    return [item["DurableExecutionArn"] for item in found]


def operations(stage: Stage, arn: str) -> int:
    """Operations in an execution's history: steps, waits and callbacks, each once however often it was tried."""
    events: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"DurableExecutionArn": arn, "IncludeExecutionData": False, "MaxItems": 500}
    while True:
        page = stage.aws.client("lambda").get_durable_execution_history(**asked)
        events += page["Events"]
        if not page.get("NextMarker"):
            return len({event["Id"] for event in events if event.get("Id") and not event["EventType"].startswith("Execution")})
        asked["Marker"] = page["NextMarker"]


def replace_pods(stage: Stage) -> None:
    """Delete every aws-node pod, and wait until each has a ready successor."""
    before = {pod["metadata"]["uid"] for pod in stage.ground.all_of(PODS, NAMESPACE)}
    for pod in stage.ground.all_of(PODS, NAMESPACE):
        stage.ground.delete(PODS, pod["metadata"]["name"], NAMESPACE)
    until("successors of the deleted pods", lambda: calm(stage) and not before & {item["metadata"]["uid"] for item in _pods(stage)})


def calm(stage: Stage) -> bool:
    """Whether every node and every pod is Ready, one pod a node, and no roll-out is under way."""
    ready, total = nodes_ready(stage.ground)
    pods = _pods(stage)
    return ready == total > 0 and len(pods) == total and all(map(_ready, pods)) and _rolled_out(stage, total)


def break_it(stage: Stage) -> None:
    """The fault: no annotation, and pods that were admitted without it. Earlier repairs are forgotten: a tug of war would end ours."""
    _forget(stage)
    annotate(stage, None)
    replace_pods(stage)


def _forget(stage: Stage) -> None:
    table = stage.aws.client("dynamodb")
    for item in table.scan(TableName=TABLE)["Items"]:
        table.delete_item(TableName=TABLE, Key={name: item[name] for name in (PARTITION_KEY, SORT_KEY)})


def _pods(stage: Stage) -> list[Any]:
    return [item for item in stage.ground.all_of(PODS, NAMESPACE) if "deletionTimestamp" not in item["metadata"]]


def _rolled_out(stage: Stage, desired: int) -> bool:
    workload = stage.ground.find(DAEMON_SETS, aws_node.NAME, NAMESPACE) or {}
    status, generation = workload.get("status", {}), workload.get("metadata", {}).get("generation")
    return bool(status.get("observedGeneration") == generation and status.get("updatedNumberScheduled") == desired)


def _ready(pod: Any) -> bool:
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in pod.get("status", {}).get("conditions", ()))
