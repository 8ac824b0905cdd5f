"""Every source that can trigger a check, each tested alone: a fault, the event that reports it, and the rules that the event needs."""

from __future__ import annotations

import base64
import gzip
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.audit import FAILED_OPEN
from lambdas.contract.environment import Function
from lambdas.contract.events import SUBSCRIPTIONS
from lambdas.contract.names import PROJECT
from lambdas.contract.parameters import binding_path
from sandbox.aws import cloudtrail
from sandbox.aws.local_aws import ACCOUNT, REGION
from sandbox.cluster import aws_node
from sandbox.cluster.clock import micro_stamp, stamp, utc_now
from sandbox.cluster.resources import PODS, SERVICE_ACCOUNTS
from sandbox.controllers.kubelet import no_role
from sandbox.controllers.vpc_cni import effective_role
from sandbox.functions.function import Function as LocalFunction
from sandbox.simulation.aws_account import CHECKER, CLUSTER, NAMESPACE, NODE_ROLE, OPERATOR, ROLE, role_arn
from sandbox.simulation.cluster_backend import pods_of
from sandbox.simulation.deployment import function_asset
from sandbox.simulation.scenario_result import ScenarioTimeout
from sandbox.simulation.trigger_events import announce, event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.simulation.environment import SandboxEnvironment

WATCHER: Final = f"{PROJECT}-node-watcher"
NODE: Final = "ip-10-0-0-4.eu-west-1.compute.internal"
POD_TIMEOUT_S: Final = 30
CLOUDTRAIL_DELAY: Final = "CloudTrail delivers a call within seconds, sometimes minutes"


@dataclass(frozen=True, kw_only=True)
class TriggerSource:
    """One source. `rules` are the only rules that it needs; `aws_delay` is the delay that AWS adds outside this machine."""

    inject_fault: Callable[[SandboxEnvironment], None]
    send: Callable[[SandboxEnvironment], None] = lambda _: None
    rules: tuple[str, ...]
    needs_watcher: bool = False
    aws_delay: str = ""


# --- faults ----------------------------------------------------------------------------------------------------------------------


def _remove_annotation(env: SandboxEnvironment) -> None:
    patch = {"metadata": {"annotations": {aws_node.ROLE_KEY: None}}}
    env.backend.patch(SERVICE_ACCOUNTS, aws_node.NAME, NAMESPACE, patch, "kubectl")


def _update_without_role(env: SandboxEnvironment) -> None:
    eks = env.aws.client("eks", principal=OPERATOR)
    eks.update_addon(clusterName=CLUSTER, addonName="vpc-cni", addonVersion="v1.15.1-eksbuild.1")


def _associate_without_agent(env: SandboxEnvironment) -> None:
    eks = env.aws.client("eks", principal=OPERATOR)
    eks.create_pod_identity_association(clusterName=CLUSTER, namespace=NAMESPACE, serviceAccount=aws_node.NAME, roleArn=role_arn(ROLE))


def _bind_missing_role(env: SandboxEnvironment) -> None:
    path = binding_path(CLUSTER, NAMESPACE, aws_node.NAME)
    env.aws.client("ssm").put_parameter(Name=path, Value=role_arn(f"{CLUSTER}-other"), Type="String", Overwrite=True)


# --- events ----------------------------------------------------------------------------------------------------------------------


def _announced(name: str) -> Callable[[SandboxEnvironment], None]:
    def send(env: SandboxEnvironment) -> None:
        announce(env, name)

    return send


def _parameter_changed(env: SandboxEnvironment) -> None:
    detail = {"operation": "Update", "name": binding_path(CLUSTER, NAMESPACE, aws_node.NAME), "type": "String"}
    env.bus.put(event("aws.ssm", "Parameter Store Change", detail))


def _kubernetes_event(env: SandboxEnvironment) -> None:
    """The event of the node controller, as kubernetes-event-exporter sends it to EventBridge."""
    detail = {
        "metadata": {"name": f"{NODE}.17f", "namespace": "default"},
        "reason": "NodeNotReady",
        "message": f"Node {NODE} status is now: NodeNotReady",
        "source": {"component": "node-controller"},
        "lastTimestamp": stamp(utc_now()),
        "type": "Normal",
        "clusterName": CLUSTER,
        "involvedObject": {"kind": "Node", "name": NODE},
    }
    env.bus.put(event("custom.kubernetes", "Kubernetes Event", detail))


def _invoke_checker(env: SandboxEnvironment) -> None:
    payload = json.dumps({"cluster": CLUSTER, "requestedBy": f"arn:aws:iam::{ACCOUNT}:user/dana"})
    env.aws.client("lambda").invoke(FunctionName=CHECKER, InvocationType="Event", Payload=payload)


def _provider(env: SandboxEnvironment) -> str:
    issuer = env.aws.client("eks").describe_cluster(name=CLUSTER)["cluster"]["identity"]["oidc"]["issuer"]
    return f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer.removeprefix('https://')}"


def _refused_call(env: SandboxEnvironment) -> None:
    """EC2 refuses a call of aws-node with the bound role."""
    env.bus.put(cloudtrail.refused_call("CreateNetworkInterface", role_arn=role_arn(ROLE), provider_arn=_provider(env), region=REGION))


def _refused_cni_call(env: SandboxEnvironment) -> None:
    """EC2 refuses a call of aws-node, which uses the role of the node since it has no annotation."""
    env.bus.put(cloudtrail.refused_call("DescribeNetworkInterfaces", role_arn=role_arn(NODE_ROLE), region=REGION))


def _refused_token(env: SandboxEnvironment) -> None:
    """STS refuses the role to the ServiceAccount."""
    subject = f"system:serviceaccount:{NAMESPACE}:{aws_node.NAME}"
    env.bus.put(cloudtrail.refused_token(subject, role_arn=role_arn(ROLE), provider_arn=_provider(env), region=REGION))


def _log_not_ready(env: SandboxEnvironment) -> None:
    """A kubelet sets its node NotReady."""
    ready = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "NetworkPluginNotReady: cni not initialized"}
    reference = {"resource": "nodes", "name": NODE, "subresource": "status"}
    _log(env, reference, f"system:node:{NODE}", {"status": {"conditions": [ready]}})


def _log_annotation_removed(env: SandboxEnvironment) -> None:
    """A pipeline removes the annotation."""
    reference = {"resource": "serviceaccounts", "namespace": NAMESPACE, "name": aws_node.NAME}
    body = {"metadata": {"annotations": {aws_node.ROLE_KEY: None}}}
    _log(env, reference, f"arn:aws:sts::{ACCOUNT}:assumed-role/{OPERATOR}/run-42", body)


def _skip_webhook(env: SandboxEnvironment) -> None:
    """The identity webhook does not answer for one pod."""
    env.backend.webhook_faults.miss_next = 1
    env.backend.delete(PODS, pods_of(env.backend, aws_node.NAME)[0]["metadata"]["name"], NAMESPACE)


def _log_failed_open(env: SandboxEnvironment) -> None:
    """The API server has created a pod without the webhook.

    Raises:
        ScenarioTimeout: no pod was created without the webhook.
    """
    deadline = time.monotonic() + POD_TIMEOUT_S
    while not (found := [pod for pod in pods_of(env.backend, aws_node.NAME) if effective_role(pod, no_role, has_agent=False) is None]):
        if time.monotonic() > deadline:
            raise ScenarioTimeout("no pod was created without the webhook")
        time.sleep(0.05)
    body = {"metadata": {"generateName": f"{aws_node.NAME}-"}, "spec": found[0]["spec"]}
    reference = {"resource": "pods", "namespace": NAMESPACE, "name": found[0]["metadata"]["name"]}
    creator = "system:serviceaccount:kube-system:daemon-set-controller"
    _log(env, reference, creator, body, verb="create", annotations={f"{FAILED_OPEN}round_0_index_0": "iam-for-pods.example.com"})


def _log(
    env: SandboxEnvironment,
    reference: Mapping[str, str],
    username: str,
    body: Mapping[str, Any],
    *,
    verb: str = "patch",
    annotations: Mapping[str, str] | None = None,
) -> None:
    """Invoke the node watcher with the audit record of a write, as CloudWatch Logs delivers it."""
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/{reference['resource']}/{reference['name']}",
        "verb": verb,
        "user": {"username": username, "groups": ["system:authenticated"]},
        "sourceIPs": ["203.0.113.7"],
        "userAgent": "terraform",
        "objectRef": {"apiVersion": "v1", **reference},
        "responseStatus": {"code": 200},
        "requestObject": body,
        "requestReceivedTimestamp": micro_stamp(utc_now()),
        "annotations": {"authorization.k8s.io/decision": "allow", **(annotations or {})},
    }
    batch = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": f"/aws/eks/{CLUSTER}/cluster",
        "logStream": "kube-apiserver-audit-1",
        "subscriptionFilters": ["audit"],
        "logEvents": [{"id": "1", "timestamp": 1, "message": json.dumps(record, separators=(",", ":"))}],
    }
    packed = base64.b64encode(gzip.compress(json.dumps(batch, separators=(",", ":")).encode())).decode()
    result = env.functions.pool(WATCHER).invoke(json.dumps({"awslogs": {"data": packed}}).encode())
    if result.failed or result.json()["sent"] != 1:
        raise RuntimeError(f"the node watcher sent no event: {result.payload[:500]!r}")


TRIGGER_SOURCES: Final[Mapping[str, TriggerSource]] = {
    "add-on call": TriggerSource(inject_fault=_update_without_role, rules=("AddonCalls",), aws_delay=CLOUDTRAIL_DELAY),
    "pod identity call": TriggerSource(inject_fault=_associate_without_agent, rules=("IdentityCalls",), aws_delay=CLOUDTRAIL_DELAY),
    "refused call": TriggerSource(inject_fault=lambda _: None, send=_refused_call, rules=("RefusedCalls",), aws_delay=CLOUDTRAIL_DELAY),
    "refused call of the CNI": TriggerSource(
        inject_fault=_remove_annotation, send=_refused_cni_call, rules=("RefusedCniCalls",), aws_delay=CLOUDTRAIL_DELAY
    ),
    "refused token": TriggerSource(inject_fault=lambda _: None, send=_refused_token, rules=("RefusedTokens",), aws_delay=CLOUDTRAIL_DELAY),
    "add-on event": TriggerSource(
        inject_fault=_remove_annotation,
        send=_announced("addon-event"),
        rules=("AddonEvents",),
        aws_delay="EKS sends it at the end of the update",
    ),
    "CloudWatch alarm": TriggerSource(
        inject_fault=_remove_annotation, send=_announced("alarm"), rules=("NodeAlarms",), aws_delay="the period of the alarm is 60 s"
    ),
    "kubernetes-event-exporter": TriggerSource(
        inject_fault=_remove_annotation,
        send=_kubernetes_event,
        rules=("KubernetesEvents",),
        aws_delay="the node controller waits 50 s for a heartbeat",
    ),
    "audit log: node not ready": TriggerSource(
        inject_fault=_remove_annotation,
        send=_log_not_ready,
        rules=("OwnEvents",),
        needs_watcher=True,
        aws_delay="a kubelet reports within 10 s, CloudWatch Logs delivers within seconds",
    ),
    "audit log: identity changed": TriggerSource(
        inject_fault=_remove_annotation,
        send=_log_annotation_removed,
        rules=("OwnEvents",),
        needs_watcher=True,
        aws_delay="CloudWatch Logs delivers within seconds",
    ),
    "audit log: webhook failed open": TriggerSource(
        inject_fault=_skip_webhook,
        send=_log_failed_open,
        rules=("OwnEvents",),
        needs_watcher=True,
        aws_delay="CloudWatch Logs delivers within seconds",
    ),
    "parameter changed": TriggerSource(
        inject_fault=_bind_missing_role, send=_parameter_changed, rules=("ParameterChanges",), aws_delay="seconds"
    ),
    "sweep": TriggerSource(
        inject_fault=_remove_annotation, send=_announced("sweep"), rules=(), aws_delay="up to 5 minutes until the next sweep"
    ),
    "a person, by event": TriggerSource(inject_fault=_remove_annotation, send=_announced("check-requested"), rules=("OwnEvents",)),
    "a person, by invocation": TriggerSource(inject_fault=_remove_annotation, send=_invoke_checker, rules=()),
}


def enable_only(env: SandboxEnvironment, source: TriggerSource) -> None:
    """Disable every rule that the source does not need, and deploy the node watcher if it needs one."""
    events = env.aws.client("events")
    for name in SUBSCRIPTIONS:
        if name not in source.rules:
            events.disable_rule(Name=name)
    if source.needs_watcher:
        env.aws.roles.create(WATCHER)
        variables = {**env.function_variables(), **env.aws.environment(WATCHER)}
        env.functions.add(LocalFunction(name=WATCHER, asset=function_asset(), handler=Function.NODE_WATCHER.handler, environment=variables))
