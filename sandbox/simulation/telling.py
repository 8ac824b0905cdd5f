"""Who may tell of a trouble, each in its own words: the bus, Parameter Store, an exporter, the audit log, a person."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.names import PROJECT
from lambdas.contract.parameters import binding_path
from sandbox.aws.local_aws import ACCOUNT
from sandbox.cluster import aws_node
from sandbox.cluster.clock import micro_stamp, stamp, utc_now
from sandbox.simulation.aws_account import CHECKER, CLUSTER, NAMESPACE, OPERATOR
from sandbox.simulation.trigger_events import announce, event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.simulation.environment import SandboxEnvironment

WATCHER: Final = f"{PROJECT}-node-watcher"
NODE: Final = "ip-10-0-0-4.eu-west-1.compute.internal"


def announced(name: str) -> Callable[[SandboxEnvironment], None]:
    """By the event that a scenario calls so."""

    def tell(env: SandboxEnvironment) -> None:
        announce(env, name)

    return tell


def parameter_changed(env: SandboxEnvironment) -> None:
    """Parameter Store, of the binding."""
    detail = {"operation": "Update", "name": binding_path(CLUSTER, NAMESPACE, aws_node.NAME), "type": "String"}
    env.bus.put(event("aws.ssm", "Parameter Store Change", detail))


def exported(env: SandboxEnvironment) -> None:
    """The node controller's event, as kubernetes-event-exporter sends it to EventBridge."""
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


def asked_directly(env: SandboxEnvironment) -> None:
    """A person, by invoking the checker."""
    payload = json.dumps({"cluster": CLUSTER, "requestedBy": f"arn:aws:iam::{ACCOUNT}:user/dana"})
    env.aws.client("lambda").invoke(FunctionName=CHECKER, InvocationType="Event", Payload=payload)


def logged_not_ready(env: SandboxEnvironment) -> None:
    """The audit log, by way of the node watcher: a kubelet's last word."""
    ready = {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "NetworkPluginNotReady: cni not initialized"}
    reference = {"resource": "nodes", "name": NODE, "subresource": "status"}
    _logged(env, reference, f"system:node:{NODE}", {"status": {"conditions": [ready]}})


def logged_annotation_gone(env: SandboxEnvironment) -> None:
    """The audit log likewise: somebody's pipeline takes the annotation away."""
    reference = {"resource": "serviceaccounts", "namespace": NAMESPACE, "name": aws_node.NAME}
    body = {"metadata": {"annotations": {aws_node.ROLE_KEY: None}}}
    _logged(env, reference, f"arn:aws:sts::{ACCOUNT}:assumed-role/{OPERATOR}/run-42", body)


def _logged(env: SandboxEnvironment, reference: Mapping[str, str], who: str, body: Mapping[str, Any]) -> None:
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
        "requestReceivedTimestamp": micro_stamp(utc_now()),
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
    ended = env.functions.pool(WATCHER).invoke(json.dumps({"awslogs": {"data": packed}}).encode())
    if ended.failed or ended.json()["sent"] != 1:
        raise RuntimeError(f"the node watcher did not tell: {ended.payload[:500]!r}")
