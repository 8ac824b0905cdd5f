"""What can happen in a scenario's world, each by one word of its story."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from lambdas.adapters.incident_items import past_item
from lambdas.contract.parameters import ServiceAccountRef
from sandbox.aws.eks_state import Failure
from sandbox.aws.faults import Fault, FaultKind
from sandbox.cluster import aws_node
from sandbox.cluster.clock import stamp, utc_now
from sandbox.cluster.resources import NODES, PODS, SERVICE_ACCOUNTS
from sandbox.controllers.cluster_snapshot import condition
from sandbox.simulation.aws_account import CLUSTER, NAMESPACE, OPERATOR, TABLE, resolve_role
from sandbox.simulation.cluster_backend import Object, pods_of
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.history import STS_TIMEOUT_MESSAGE, past_repairs
from sandbox.simulation.scenario import lookup
from sandbox.simulation.scenario_result import ScenarioTimeout
from sandbox.simulation.trigger_events import check_request

How = Mapping[str, Any]
LASTS_S: Final = 60.0
"""What a story may wait for one thing: many times what it takes, for a machine that is busy."""
POLL_S: Final = 0.02


def _wait_until(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + LASTS_S
    while not holds():
        if time.monotonic() > until:
            raise ScenarioTimeout(f"the story waited for {what}, which did not come within {LASTS_S:.0f} s")
        time.sleep(POLL_S)


def _update_addon(env: SandboxEnvironment, how: How) -> str:
    role = {"serviceAccountRoleArn": it} if (it := resolve_role(how.get("role"))) else {}
    wanted = {key: how[key] for key in ("addonVersion", "resolveConflicts", "configurationValues") if key in how}
    eks = env.aws.client("eks", principal=OPERATOR)
    eks.update_addon(clusterName=CLUSTER, addonName=env.addon, **wanted, **role)
    return f"{OPERATOR} runs UpdateAddon {env.addon} {how.get('addonVersion', '')} {'with' if role else 'without'} a role"


def _join_nodes(env: SandboxEnvironment, how: How) -> str:
    names = env.backend.join_nodes(int(how["value"]))
    return f"{len(names)} nodes join"


def _annotate(env: SandboxEnvironment, how: How) -> str:
    key, value = how.get("key", aws_node.ROLE_KEY), resolve_role(how.get("value"))
    patch = {"metadata": {"annotations": {key: value}}}
    env.backend.patch(SERVICE_ACCOUNTS, env.world.service_account, NAMESPACE, patch, how.get("by", "kubectl-annotate"))
    return f"{how.get('by', 'somebody')} sets {key} to {value or 'nothing'}"


def _replace_pods(env: SandboxEnvironment, how: How) -> str:
    """Delete pods by hand, all, the first few, or all whose kubelet answers, and see their successors admitted."""
    pods = _pods(env)
    lost = _lost_nodes(env) if how.get("within_reach") else set()
    chosen = [item for item in pods if item["spec"].get("nodeName") not in lost][: int(how.get("value", len(pods)))]
    for pod in chosen:
        env.backend.delete(PODS, pod["metadata"]["name"], NAMESPACE)
    gone = {pod["metadata"]["uid"] for pod in chosen}
    _wait_until(lambda: _replaced(_pods(env), gone, len(pods)), "the pods' successors")
    return f"{len(chosen)} pods are replaced"


def _lost_nodes(env: SandboxEnvironment) -> set[str]:
    return {item["metadata"]["name"] for item in env.backend.all_of(NODES) if condition(item, "Ready").get("status") == "Unknown"}


def _pods(env: SandboxEnvironment) -> list[Object]:
    return pods_of(env.backend, env.world.service_account)


def _replaced(pods: list[Object], gone: set[str], wanted: int) -> bool:
    return len(pods) >= wanted and not any(pod["metadata"]["uid"] in gone for pod in pods)


def _webhook(env: SandboxEnvironment, how: How) -> str:
    for name, value in how.items():
        lookup(name, vars(env.backend.switches), "switch of the webhook")
        setattr(env.backend.switches, name, value)
    return "the identity webhook: " + ", ".join(f"{name} {value}" for name, value in how.items())


def _stop_kubelet(env: SandboxEnvironment, how: How) -> str:
    nodes = env.backend.all_of(NODES)[: int(how.get("value", 1))]
    for node in nodes:
        env.backend.stop_kubelet(node["metadata"]["name"])
    return f"the kubelet of {len(nodes)} nodes falls silent"


def _sts_unreachable(env: SandboxEnvironment, _how: How) -> str:
    """No way to STS any more, and every pod has ended at least once for it."""
    env.sts_timeout = STS_TIMEOUT_MESSAGE
    told = _replace_pods(env, {})
    _wait_until(lambda: all(map(_ended_before, _pods(env))), "the first end of every pod")
    return f"STS is out of reach, and {told}"


def _ended_before(pod: Object) -> bool:
    return any(
        "terminated" in (containerstatuse.get("lastState") or {}) for containerstatuse in pod["status"].get("containerStatuses") or ()
    )


def _node_says(env: SandboxEnvironment, how: How) -> str:
    """One node turns NotReady with this message, and has these pressures and taints besides."""
    node = env.backend.all_of(NODES)[0]
    name, now = str(node["metadata"]["name"]), stamp(utc_now())
    said = {"Ready": {"status": "False", "reason": "KubeletNotReady", "message": how["message"], "lastTransitionTime": now}}
    said |= {pressure: {"status": "True", "lastTransitionTime": now} for pressure in how.get("pressures", ())}
    told = [{**item, **said.get(item["type"], {})} for item in node["status"]["conditions"]]
    env.backend.patch_status(NODES, name, {"conditions": told})
    if how.get("taints"):
        taints = [{"key": taint, "effect": "NoSchedule"} for taint in how["taints"]]
        env.backend.patch(NODES, name, "", {"spec": {"taints": taints}}, "cloud-controller-manager")
    return f"a node turns NotReady: {how['message']}"


def _fail_update(env: SandboxEnvironment, how: How) -> str:
    failure = Failure(code=how["code"], message=how["message"], resource_ids=tuple(how.get("resources", ())))
    env.aws.eks.fail_next(CLUSTER, str(env.addon), failure)
    return f"the next update of {env.addon} will fail with {how['code']}"


def _check(env: SandboxEnvironment, _how: How) -> str:
    """A check that finds all well, so that there is something to have been lost since."""
    env.bus.put(check_request())
    _wait_until(lambda: any('"title":"diagnosis"' in line for _, line in list(env.lines)), "the check")
    time.sleep(0.2)
    env.lines.clear()
    return "a check finds all well"


def _past_repairs(env: SandboxEnvironment, how: How) -> str:
    """Repairs of the last hours, as history holds them."""
    target = ServiceAccountRef(CLUSTER, NAMESPACE, env.world.service_account)
    made = list(past_repairs(int(how["value"]), target, datetime.now(UTC)))
    for past in made:
        env.aws.client("dynamodb").put_item(TableName=TABLE, Item=past_item(past))
    return f"{len(made)} repairs within the last hours"


def _fault(env: SandboxEnvironment, how: How) -> str:
    fault = Fault(service=how["service"], operation=how["operation"], kind=FaultKind(how["kind"]), times=int(how.get("times", 1)))
    env.aws.faults.add(fault)
    return f"{how['service']}:{how['operation']} answers {how['kind']}"


def _wait(_stage: SandboxEnvironment, how: How) -> str:
    time.sleep(float(how["value"]))
    return ""


def _update_ends(env: SandboxEnvironment, _how: How) -> str:
    """Wait until EKS has applied the update to the cluster."""
    cluster = env.aws.eks.state.clusters[CLUSTER]
    _wait_until(lambda: cluster.addons[str(env.addon)]["status"] != "UPDATING", "the end of the update")
    return "the update has taken effect"


def _cloudtrail_is_late(env: SandboxEnvironment, _how: How) -> str:
    """What CloudTrail records comes to the bus when the story is told: what happens in the meantime is there when it is looked at."""
    env.bus.hold()
    return ""


def _slow_updates(env: SandboxEnvironment, how: How) -> str:
    env.aws.eks.configure(update_s=float(how["value"]))
    return f"an add-on update takes {how['value']} s"


HAPPENINGS: Final[Mapping[str, Callable[[SandboxEnvironment, How], str]]] = {
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
    "cloudtrail_is_late": _cloudtrail_is_late,
    "check": _check,
    "past_repairs": _past_repairs,
    "fault": _fault,
    "update_ends": _update_ends,
    "wait": _wait,
}


def run_step(env: SandboxEnvironment, what: str, how: How) -> str:
    """Let one thing happen; what it was, for people, or nothing.

    Raises:
        InvalidScenario: nothing of that name can happen.
        NoEnd: what it waits for did not come.
    """
    return lookup(what, HAPPENINGS, "happening")(env, how)
