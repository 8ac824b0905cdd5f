"""Executes the steps of a scenario in the sandbox."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lambdas.adapters.incident_items import past_item
from lambdas.contract.names import IDENTITY_WEBHOOK, ROLE_ANNOTATION
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.domain.planning.policies import PAST_SPAN
from sandbox.aws.eks_state import Failure
from sandbox.aws.faults import Fault, FaultKind
from sandbox.cluster.clock import stamp, utc_now
from sandbox.cluster.resources import MUTATING_WEBHOOKS, NODES, PODS, SERVICE_ACCOUNTS
from sandbox.controllers.cluster_snapshot import condition, is_ready
from sandbox.controllers.vpc_cni import STS_TIMES_OUT, NoCredentials, sts_refuses
from sandbox.simulation import seed_data
from sandbox.simulation.aws_account import CLUSTER, NAMESPACE, OPERATOR, resolve_role
from sandbox.simulation.cluster_backend import Object, agent_nodes, pods_of
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario_result import ScenarioTimeout
from sandbox.simulation.scenario_steps import past_repairs
from sandbox.simulation.trigger_events import check_request

TIMEOUT_S: Final = 60.0
"""Far longer than any step takes, so that a busy machine does not fail the scenario."""
POLL_S: Final = 0.02


def _wait_until(is_done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_done():
        if time.monotonic() > deadline:
            raise ScenarioTimeout(f"a step waited for {what}, which did not happen within {TIMEOUT_S:.0f} s")
        time.sleep(POLL_S)


@dataclass(frozen=True)
class SandboxSteps:
    """A `StepExecutor` for a running environment.

    A step that waits raises `ScenarioTimeout` if the expected state does not appear.
    """

    env: SandboxEnvironment

    def update_addon(self, version: str = "", role: str | None = None) -> str:
        arn = resolve_role(role)
        parameters = {"addonVersion": version, "serviceAccountRoleArn": arn}
        eks = self.env.aws.client("eks", principal=OPERATOR)
        eks.update_addon(clusterName=CLUSTER, addonName=self.env.addon, **{name: value for name, value in parameters.items() if value})
        return f"{OPERATOR} calls UpdateAddon {self.env.addon} {version} {'with' if arn else 'without'} a role"

    def wait_for_update(self) -> str:
        cluster = self.env.aws.eks.state.clusters[CLUSTER]
        _wait_until(lambda: cluster.addons[str(self.env.addon)]["status"] != "UPDATING", "the end of the update")
        return "EKS has applied the update"

    def set_update_duration(self, seconds: float) -> str:
        self.env.aws.eks.configure(update_s=float(seconds))
        return f"an add-on update takes {seconds} s"

    def fail_next_update(self, code: str, message: str, resources: Sequence[str] = ()) -> str:
        self.env.aws.eks.fail_next(CLUSTER, str(self.env.addon), Failure(code=code, message=message, resource_ids=tuple(resources)))
        return f"the next update of {self.env.addon} will fail with {code}"

    def delay_cloudtrail(self) -> str:
        self.env.bus.hold()
        return ""

    def join_nodes(self, count: int) -> str:
        return f"{len(self.env.backend.join_nodes(count))} nodes join"

    def annotate(self, role: str | None, key: str = ROLE_ANNOTATION, field_manager: str = "kubectl-annotate") -> str:
        value = resolve_role(role)
        patch = {"metadata": {"annotations": {key: value}}}
        self.env.backend.patch(SERVICE_ACCOUNTS, self.env.world.service_account, NAMESPACE, patch, field_manager)
        return f"{field_manager} sets {key} to {value}" if value else f"{field_manager} removes {key}"

    def delete_association(self) -> str:
        eks, where = self.env.aws.client("eks", principal=OPERATOR), {"clusterName": CLUSTER}
        filters = {"namespace": NAMESPACE, "serviceAccount": self.env.world.service_account}
        for found in eks.list_pod_identity_associations(**where, **filters)["associations"]:
            eks.delete_pod_identity_association(**where, associationId=found["associationId"])
        return f"{OPERATOR} deletes the pod identity association"

    def set_agents(self, absent: int = 0, unready: int = 0) -> str:
        seed_data.set_agents(self.env.backend, absent=absent, unready=unready)
        expected = len([node for node in self.env.backend.all_of(NODES) if _is_linux(node)]) - absent - unready
        _wait_until(lambda: len(agent_nodes(self.env.backend)) == expected, "the Pod Identity agent")
        _wait_until(lambda: all(map(is_ready, self._pods_with_agent())), "the pods on nodes with the agent")
        return f"the Pod Identity agent is ready on {expected} nodes"

    def replace_pods(self, count: int | None = None, reachable_only: bool = False) -> str:
        pods = self._pods()
        lost = self._lost_nodes() if reachable_only else set()
        deleted = [pod for pod in pods if pod["spec"].get("nodeName") not in lost][:count]
        for pod in deleted:
            self.env.backend.delete(PODS, pod["metadata"]["name"], NAMESPACE)
        uids = {pod["metadata"]["uid"] for pod in deleted}
        _wait_until(lambda: _replaced(self._pods(), uids, len(pods)), "the replacement pods")
        return f"{len(deleted)} pods are replaced"

    def configure_webhook(self, outage: bool = False, miss_next: int = 0) -> str:
        self.env.backend.webhook_faults.outage = outage
        self.env.backend.webhook_faults.miss_next = miss_next
        return "the identity webhook is down" if outage else f"the identity webhook skips the next {miss_next} pods"

    def delete_webhook_configuration(self) -> str:
        self.env.backend.delete(MUTATING_WEBHOOKS, IDENTITY_WEBHOOK)
        return f"the MutatingWebhookConfiguration {IDENTITY_WEBHOOK} is deleted"

    def stop_kubelets(self, count: int = 1) -> str:
        nodes = self.env.backend.all_of(NODES)[:count]
        for node in nodes:
            self.env.backend.stop_kubelet(node["metadata"]["name"])
        return f"the kubelets of {len(nodes)} nodes stop"

    def set_node_not_ready(self, message: str, pressures: Sequence[str] = (), taints: Sequence[str] = ()) -> str:
        node = self.env.backend.all_of(NODES)[0]
        name, now = str(node["metadata"]["name"]), stamp(utc_now())
        changes = {"Ready": {"status": "False", "reason": "KubeletNotReady", "message": message, "lastTransitionTime": now}}
        changes |= {pressure: {"status": "True", "lastTransitionTime": now} for pressure in pressures}
        conditions = [{**item, **changes.get(item["type"], {})} for item in node["status"]["conditions"]]
        self.env.backend.patch_status(NODES, name, {"conditions": conditions})
        if taints:
            patch = {"spec": {"taints": [{"key": taint, "effect": "NoSchedule"} for taint in taints]}}
            self.env.backend.patch(NODES, name, "", patch, "cloud-controller-manager")
        return f"a node becomes NotReady: {message}"

    def block_sts(self) -> str:
        return f"STS is unreachable, and {self._fail_at_sts(STS_TIMES_OUT)}"

    def refuse_tokens(self, code: str) -> str:
        return f"STS answers {code}, and {self._fail_at_sts(sts_refuses(code))}"

    def _fail_at_sts(self, answer: NoCredentials) -> str:
        self.env.sts_fault = answer
        replaced = self.replace_pods()
        _wait_until(lambda: all(map(_has_terminated_before, self._pods())), "the first failure of every pod")
        return replaced

    def set_workload_fault(self, fault: str) -> str:
        raise ScenarioTimeout(f"the sandbox cannot set the fault {fault}; only the fakes can")

    def run_check(self) -> str:
        self.env.bus.put(check_request())
        _wait_until(lambda: any('"title":"diagnosis"' in line for _, line in list(self.env.lines)), "the check")
        time.sleep(0.2)
        self.env.lines.clear()
        return "a check finds no problem"

    def add_past_repairs(self, count: int) -> str:
        target = ServiceAccountRef(CLUSTER, NAMESPACE, self.env.world.service_account)
        for past in past_repairs(count, target, datetime.now(UTC)):
            self.env.aws.client("dynamodb").put_item(TableName=self.env.table, Item=past_item(past))
        self.env.aws.eks.state.clusters[CLUSTER].record["createdAt"] = datetime.now(UTC) - PAST_SPAN
        return f"{count} repairs within the last hours"

    def inject_fault(self, service: str, operation: str, kind: str, times: int = 1) -> str:
        self.env.aws.faults.add(Fault(service=service, operation=operation, kind=FaultKind(kind), times=times))
        return f"{service}:{operation} fails with {kind}"

    def wait(self, seconds: float) -> str:
        time.sleep(seconds)
        return ""

    def _pods(self) -> list[Object]:
        return pods_of(self.env.backend, self.env.world.service_account)

    def _pods_with_agent(self) -> list[Object]:
        served = agent_nodes(self.env.backend)
        return [pod for pod in self._pods() if pod["spec"].get("nodeName") in served]

    def _lost_nodes(self) -> set[str]:
        nodes = self.env.backend.all_of(NODES)
        return {node["metadata"]["name"] for node in nodes if condition(node, "Ready").get("status") == "Unknown"}


def _is_linux(node: Object) -> bool:
    return bool(node["metadata"]["labels"].get("kubernetes.io/os") == "linux")


def _replaced(pods: list[Object], deleted: set[str], wanted: int) -> bool:
    return len(pods) >= wanted and not any(pod["metadata"]["uid"] in deleted for pod in pods)


def _has_terminated_before(pod: Object) -> bool:
    return any("terminated" in (status.get("lastState") or {}) for status in pod["status"].get("containerStatuses") or ())
