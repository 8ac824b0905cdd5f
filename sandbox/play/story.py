"""What can happen in a scenario's world, each by one word of its story."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lambdas.adapters.incident_items import past_item
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.incident import Outcome as PastOutcome
from lambdas.domain.incident import PastIncident
from sandbox.aws.eks_state import Failure
from sandbox.aws.faults import Fault, FaultKind
from sandbox.cluster import aws_node
from sandbox.cluster.clock import stamp, utc_now
from sandbox.cluster.resources import NODES, PODS, SERVICE_ACCOUNTS
from sandbox.play.accounts import CLUSTER, NAMESPACE, OPERATOR, TABLE, resolved
from sandbox.play.announcing import check_request
from sandbox.play.scenario import InvalidScenario
from sandbox.play.stage import Stage

How = Mapping[str, Any]


def _update_addon(stage: Stage, how: How) -> str:
    role = {"serviceAccountRoleArn": it} if (it := resolved(how.get("role"))) else {}
    wanted = {key: how[key] for key in ("addonVersion", "resolveConflicts", "configurationValues") if key in how}
    eks = stage.aws.client("eks", principal=OPERATOR)
    eks.update_addon(clusterName=CLUSTER, addonName=stage.addon, **wanted, **role)
    return f"{OPERATOR} runs UpdateAddon {stage.addon} {how.get('addonVersion', '')} {'with' if role else 'without'} a role"


def _join_nodes(stage: Stage, how: How) -> str:
    names = stage.ground.join_nodes(int(how["value"]))
    return f"{len(names)} nodes join"


def _annotate(stage: Stage, how: How) -> str:
    key, value = how.get("key", aws_node.ROLE_KEY), resolved(how.get("value"))
    patch = {"metadata": {"annotations": {key: value}}}
    stage.ground.patch(SERVICE_ACCOUNTS, stage.world.service_account, NAMESPACE, patch, how.get("by", "kubectl-annotate"))
    return f"{how.get('by', 'somebody')} sets {key} to {value or 'nothing'}"


def _replace_pods(stage: Stage, how: How) -> str:
    """Delete pods by hand, all, the first few, or all whose kubelet answers, and see their successors admitted."""
    pods = _pods(stage)
    lost = {it["metadata"]["name"] for it in stage.ground.all_of(NODES) if _is_lost(it)} if how.get("within_reach") else set()
    chosen = [it for it in pods if it["spec"].get("nodeName") not in lost][: int(how.get("value", len(pods)))]
    for pod in chosen:
        stage.ground.delete(PODS, pod["metadata"]["name"], NAMESPACE)
    gone, until = {pod["metadata"]["uid"] for pod in chosen}, time.monotonic() + LONGEST_UPDATE_S
    while time.monotonic() < until and not _replaced(_pods(stage), gone, len(pods)):
        time.sleep(POLL_S)
    return f"{len(chosen)} pods are replaced"


def _is_lost(node: Mapping[str, Any]) -> bool:
    return any(it["type"] == "Ready" and it["status"] == "Unknown" for it in node["status"].get("conditions", ()))


def _pods(stage: Stage) -> list[Mapping[str, Any]]:
    return [it for it in stage.ground.all_of(PODS, NAMESPACE) if it["spec"].get("serviceAccountName") == stage.world.service_account]


def _replaced(pods: list[Mapping[str, Any]], gone: set[str], wanted: int) -> bool:
    return len(pods) >= wanted and not any(it["metadata"]["uid"] in gone for it in pods)


def _webhook(stage: Stage, how: How) -> str:
    for name, value in how.items():
        setattr(stage.ground.switches, name, value)
    return "the identity webhook: " + ", ".join(f"{name} {value}" for name, value in how.items())


def _stop_kubelet(stage: Stage, how: How) -> str:
    nodes = stage.ground.all_of(NODES)[: int(how.get("value", 1))]
    for node in nodes:
        stage.ground.stop_kubelet(node["metadata"]["name"])
    return f"the kubelet of {len(nodes)} nodes falls silent"


def _sts_unreachable(stage: Stage, _how: How) -> str:
    """No way to STS any more, and every pod has ended at least once for it."""
    stage.sts_timeout = "WebIdentityErr: failed to retrieve credentials caused by: RequestError: dial tcp 10.0.0.9:443: i/o timeout"
    told = _replace_pods(stage, {})
    until = time.monotonic() + LONGEST_UPDATE_S
    while time.monotonic() < until and not all(_ended_before(it) for it in _pods(stage)):
        time.sleep(POLL_S)
    return f"STS is out of reach, and {told}"


def _ended_before(pod: Mapping[str, Any]) -> bool:
    return any("terminated" in (it.get("lastState") or {}) for it in pod["status"].get("containerStatuses") or ())


def _node_says(stage: Stage, how: How) -> str:
    """One node turns NotReady with this message, and has these pressures and taints besides."""
    node = stage.ground.all_of(NODES)[0]
    name, now = str(node["metadata"]["name"]), stamp(utc_now())
    said = {"Ready": {"status": "False", "reason": "KubeletNotReady", "message": how["message"], "lastTransitionTime": now}}
    said |= {it: {"status": "True", "lastTransitionTime": now} for it in how.get("pressures", ())}
    told = [{**it, **said.get(it["type"], {})} for it in node["status"]["conditions"]]
    stage.ground.patch_status(NODES, name, {"conditions": told})
    if how.get("taints"):
        taints = [{"key": it, "effect": "NoSchedule"} for it in how["taints"]]
        stage.ground.patch(NODES, name, "", {"spec": {"taints": taints}}, "cloud-controller-manager")
    return f"a node turns NotReady: {how['message']}"


def _fail_update(stage: Stage, how: How) -> str:
    failure = Failure(code=how["code"], message=how["message"], resource_ids=tuple(how.get("resources", ())))
    stage.aws.eks.fail_next(CLUSTER, str(stage.addon), failure)
    return f"the next update of {stage.addon} will fail with {how['code']}"


def _check(stage: Stage, _how: How) -> str:
    """A check that finds all well, so that there is something to have been lost since."""
    stage.bus.put(check_request())
    until = time.monotonic() + LONGEST_UPDATE_S
    while not any('"title":"diagnosis"' in line for _, line in list(stage.lines)) and time.monotonic() < until:
        time.sleep(POLL_S)
    time.sleep(0.2)
    stage.lines.clear()
    return "a check finds all well"


def _past_repairs(stage: Stage, how: How) -> str:
    """Repairs of the last hours, as history holds them."""
    count = int(how["value"])
    now = datetime.now(UTC)
    for n in range(count):
        at = now - timedelta(hours=2 + n)
        past = PastIncident(
            id=f"past{n}",
            target=ServiceAccountRef(CLUSTER, NAMESPACE, stage.world.service_account),
            opened_at=at,
            closed_at=at,
            outcome=PastOutcome.PROVEN,
            verdict="annotation-missing",
            trigger="sweep",
            changes=("AnnotateServiceAccount",),
            signals=1,
        )
        stage.aws.client("dynamodb").put_item(TableName=TABLE, Item=past_item(past))
    return f"{count} repairs within the last hours"


def _fault(stage: Stage, how: How) -> str:
    fault = Fault(service=how["service"], operation=how["operation"], kind=FaultKind(how["kind"]), times=int(how.get("times", 1)))
    stage.aws.faults.add(fault)
    return f"{how['service']}:{how['operation']} answers {how['kind']}"


def _wait(_stage: Stage, how: How) -> str:
    time.sleep(float(how["value"]))
    return ""


def _update_ends(stage: Stage, _how: How) -> str:
    """Wait until EKS has applied the update to the cluster."""
    cluster = stage.aws.eks.world.clusters[CLUSTER]
    until = time.monotonic() + LONGEST_UPDATE_S
    while cluster.addons[str(stage.addon)]["status"] == "UPDATING" and time.monotonic() < until:
        time.sleep(POLL_S)
    return "the update has taken effect"


LONGEST_UPDATE_S: Final = 20.0
POLL_S: Final = 0.02


def _slow_updates(stage: Stage, how: How) -> str:
    stage.aws.eks.behave(update_s=float(how["value"]))
    return f"an add-on update takes {how['value']} s"


HAPPENINGS: Final[Mapping[str, Callable[[Stage, How], str]]] = {
    "update_addon": _update_addon,
    "join_nodes": _join_nodes,
    "annotate": _annotate,
    "replace_pods": _replace_pods,
    "webhook": _webhook,
    "stop_kubelet": _stop_kubelet,
    "node_says": _node_says,
    "sts_unreachable": _sts_unreachable,
    "fail_update": _fail_update,
    "slow_updates": _slow_updates,
    "check": _check,
    "past_repairs": _past_repairs,
    "fault": _fault,
    "update_ends": _update_ends,
    "wait": _wait,
}


def happen(stage: Stage, what: str, how: How) -> str:
    """Let one thing happen; what it was, for people, or nothing.

    Raises:
        InvalidScenario: nothing of that name can happen.
    """
    if what not in HAPPENINGS:
        raise InvalidScenario(f"nothing called {what!r} can happen; there are {', '.join(HAPPENINGS)}")
    return HAPPENINGS[what](stage, how)
