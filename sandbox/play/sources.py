"""Each way the trouble announces itself, alone: a fault, who tells of it, and what the checker read until it decided."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from infra.asset import Target, build
from lambdas.contract.environment import Function
from lambdas.contract.events import SUBSCRIPTIONS
from lambdas.contract.names import PROJECT
from lambdas.contract.parameters import binding_path
from sandbox.aws.local import ACCOUNT, REGION
from sandbox.cluster import aws_node
from sandbox.cluster.resources import SERVICE_ACCOUNTS
from sandbox.functions.function import Function as LocalFunction
from sandbox.play import announcing
from sandbox.play.accounts import CHECKER, CLUSTER, NAMESPACE, OPERATOR, role_arn
from sandbox.play.ground import EmbeddedGround

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.play.stage import Stage

WATCHER: Final = f"{PROJECT}-node-watcher"
NODE: Final = "ip-10-0-0-4.eu-west-1.compute.internal"
_NO_READS: Final = frozenset({"dynamodb:UpdateItem", "lambda:InvokeFunction", "events:PutEvents", "sts:GetCallerIdentity"})
"""Calls in the checker's name that write or hand over, and the one that its token is: the cluster makes that, to learn who asks."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source. `rules` are the only ones that it needs; `elsewhere` is what comes on top of it outside of this machine."""

    fault: Callable[[Stage], None]
    tell: Callable[[Stage], None] = lambda _: None
    rules: tuple[str, ...]
    watched: bool = False
    elsewhere: str = ""


# --- faults ------------------------------------------------------------------------------------------------------------------------------


def _annotation_gone(stage: Stage) -> None:
    patch = {"metadata": {"annotations": {aws_node.ROLE_KEY: None}}}
    stage.ground.patch(SERVICE_ACCOUNTS, aws_node.NAME, NAMESPACE, patch, "somebody")


def _update_without_role(stage: Stage) -> None:
    eks = stage.aws.client("eks", principal=OPERATOR)
    eks.update_addon(clusterName=CLUSTER, addonName="vpc-cni", addonVersion="v1.15.1-eksbuild.1")


def _associated_without_agent(stage: Stage) -> None:
    eks = stage.aws.client("eks", principal=OPERATOR)
    eks.create_pod_identity_association(
        clusterName=CLUSTER, namespace=NAMESPACE, serviceAccount=aws_node.NAME, roleArn=role_arn(f"{CLUSTER}-vpc-cni")
    )


def _bound_to_no_role(stage: Stage) -> None:
    path = binding_path(CLUSTER, NAMESPACE, aws_node.NAME)
    stage.aws.client("ssm").put_parameter(Name=path, Value=role_arn(f"{CLUSTER}-other"), Type="String", Overwrite=True)


# --- who tells ---------------------------------------------------------------------------------------------------------------------------


def _announced(name: str) -> Callable[[Stage], None]:
    return lambda stage: _put(stage, announcing.announcement(name) or {})


def _put(stage: Stage, event: Mapping[str, Any]) -> None:
    stage.bus.put(event)


def _parameter_changed(stage: Stage) -> None:
    detail = {"operation": "Update", "name": binding_path(CLUSTER, NAMESPACE, aws_node.NAME), "type": "String"}
    _put(stage, _event("aws.ssm", "Parameter Store Change", detail))


def _exported(stage: Stage) -> None:
    """The node controller's event, as kubernetes-event-exporter sends it to EventBridge."""
    detail = {
        "metadata": {"name": f"{NODE}.17f", "namespace": "default"},
        "reason": "NodeNotReady",
        "message": f"Node {NODE} status is now: NodeNotReady",
        "source": {"component": "node-controller"},
        "lastTimestamp": _now("seconds"),
        "type": "Normal",
        "clusterName": CLUSTER,
        "involvedObject": {"kind": "Node", "name": NODE},
    }
    _put(stage, _event("custom.kubernetes", "Kubernetes Event", detail))


def _asked_directly(stage: Stage) -> None:
    payload = json.dumps({"cluster": CLUSTER, "requestedBy": f"arn:aws:iam::{ACCOUNT}:user/dana"})
    stage.aws.client("lambda").invoke(FunctionName=CHECKER, InvocationType="Event", Payload=payload)


def _swept(stage: Stage) -> None:
    announcing.announce(stage, "sweep")


def _logged_not_ready(stage: Stage) -> None:
    ready = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "NetworkPluginNotReady: cni not initialized"}
    reference = {"resource": "nodes", "name": NODE, "subresource": "status"}
    _logged(stage, reference, f"system:node:{NODE}", {"status": {"conditions": [ready]}})


def _logged_annotation_gone(stage: Stage) -> None:
    reference = {"resource": "serviceaccounts", "namespace": NAMESPACE, "name": aws_node.NAME}
    body = {"metadata": {"annotations": {aws_node.ROLE_KEY: None}}}
    _logged(stage, reference, f"arn:aws:sts::{ACCOUNT}:assumed-role/{OPERATOR}/run-42", body)


SOURCES: Final[Mapping[str, Source]] = {
    "add-on call": Source(
        fault=_update_without_role, rules=("AddonCalls",), elsewhere="CloudTrail hands a call over in seconds, at times in minutes"
    ),
    "pod identity call": Source(
        fault=_associated_without_agent, rules=("IdentityCalls",), elsewhere="CloudTrail hands a call over in seconds, at times in minutes"
    ),
    "add-on event": Source(
        fault=_annotation_gone, tell=_announced("addon-event"), rules=("AddonEvents",), elsewhere="EKS sends it at the end of the update"
    ),
    "CloudWatch alarm": Source(
        fault=_annotation_gone, tell=_announced("alarm"), rules=("NodeAlarms",), elsewhere="the alarm's period is 60 s"
    ),
    "kubernetes-event-exporter": Source(
        fault=_annotation_gone, tell=_exported, rules=("KubernetesEvents",), elsewhere="the node controller waits for 50 s of silence"
    ),
    "audit log: node not ready": Source(
        fault=_annotation_gone,
        tell=_logged_not_ready,
        rules=("OwnEvents",),
        watched=True,
        elsewhere="a kubelet tells within 10 s, CloudWatch Logs delivers in seconds",
    ),
    "audit log: identity changed": Source(
        fault=_annotation_gone,
        tell=_logged_annotation_gone,
        rules=("OwnEvents",),
        watched=True,
        elsewhere="CloudWatch Logs delivers in seconds",
    ),
    "parameter changed": Source(fault=_bound_to_no_role, tell=_parameter_changed, rules=("ParameterChanges",), elsewhere="seconds"),
    "sweep": Source(fault=_annotation_gone, tell=_swept, rules=("OwnEvents",), elsewhere="up to 5 minutes until its turn"),
    "a person, by event": Source(fault=_annotation_gone, tell=_announced("check-requested"), rules=("OwnEvents",)),
    "a person, by invocation": Source(fault=_annotation_gone, tell=_asked_directly, rules=()),
}


def leave_only(stage: Stage, source: Source) -> None:
    """Switch every rule off that the source does not need, and the node watcher on where it does."""
    events = stage.aws.client("events")
    for name in SUBSCRIPTIONS:
        if name not in source.rules:
            events.disable_rule(Name=name)
    if source.watched:
        stage.aws.roles.create(WATCHER)
        environment = {**stage.environment(), **stage.aws.environment(WATCHER)}
        asset = build(Target.this_machine())
        stage.functions.add(LocalFunction(name=WATCHER, asset=asset, handler=Function.NODE_WATCHER.handler, environment=environment))


def decision(stage: Stage) -> str:
    """The checker's first verdict that is not that all is well; empty before there is one."""
    for function, line in list(stage.lines):
        if function == CHECKER and '"title":"diagnosis"' in line:
            said = json.loads(line)
            if said.get("broken"):
                return str(said["message"])
    return ""


@dataclass(frozen=True)
class Mark:
    """How many requests had been answered at a moment."""

    kubernetes: int
    aws: int


def mark(stage: Stage) -> Mark:
    """Now, for `read_since`."""
    return Mark(len(_asked_of_the_cluster(stage)), len(stage.aws.calls.of(CHECKER)))


def read_since(stage: Stage, mark: Mark) -> tuple[Counter[str], Counter[str]]:
    """What the checker has read since: Kubernetes requests by resource, AWS requests by service."""
    kubernetes = Counter(path.split("?")[0].rstrip("/") for path in _asked_of_the_cluster(stage)[mark.kubernetes :])
    aws = [call.action for call in stage.aws.calls.of(CHECKER)[mark.aws :] if call.action not in _NO_READS]
    return Counter({_resource(path): count for path, count in kubernetes.items()}), Counter(it.partition(":")[0] for it in aws)


def _asked_of_the_cluster(stage: Stage) -> list[str]:
    if not isinstance(stage.ground, EmbeddedGround):
        raise TypeError("a control plane of its own keeps no record")
    return [it.path for it in stage.ground.cluster.requests if CHECKER in it.user]


def _resource(path: str) -> str:
    """`/api/v1/namespaces/kube-system/serviceaccounts/aws-node` -> `serviceaccounts`."""
    parts = path.rsplit("/namespaces/", maxsplit=1)[-1].split("/")
    return parts[1] if "/namespaces/" in path else parts[-1]


def _now(precision: str) -> str:
    return datetime.now(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def _event(source: str, kind: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    told = {"version": "0", "id": f"told-{time.monotonic_ns()}", "source": source, "detail-type": kind, "resources": []}
    return {**told, "account": ACCOUNT, "region": REGION, "time": _now("seconds"), "detail": dict(detail)}


def _logged(stage: Stage, reference: Mapping[str, str], who: str, body: Mapping[str, Any]) -> None:
    """The API server's record of a patch, as CloudWatch Logs hands it to the watcher."""
    record = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Request",
        "stage": "ResponseComplete",
        "requestURI": f"/api/v1/{reference['resource']}/{reference['name']}",
        "verb": "patch",
        "user": {"username": who, "groups": ["system:authenticated"]},
        "sourceIPs": ["203.0.113.7"],
        "userAgent": "terraform",
        "objectRef": {"apiVersion": "v1", **reference},
        "responseStatus": {"code": 200},
        "requestObject": body,
        "requestReceivedTimestamp": _now("microseconds"),
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
    ended = stage.functions.pool(WATCHER).invoke(json.dumps({"awslogs": {"data": packed}}).encode())
    if ended.failed or ended.json()["sent"] != 1:
        raise RuntimeError(f"the node watcher did not tell: {ended.payload[:500]!r}")
