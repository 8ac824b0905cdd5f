"""Audit records as an EKS control plane writes them, and their delivery to the function.

Fields and user of a patch: https://repost.aws/knowledge-center/eks-get-control-plane-logs
Which requests are logged with a body: https://github.com/aws/aws-eks-best-practices/blob/master/latest/bpg/security/detective.adoc
The conditions in a kubelet's patch: https://github.com/kubernetes/node-problem-detector/issues/630
"""

import base64
import gzip
import json
from collections.abc import Iterable
from typing import Any

ACCOUNT = "111122223333"
LOG_GROUP = "/aws/eks/prod-blue/cluster"
LOG_STREAM = "kube-apiserver-audit-93e2414806a641668086a689b0031612"
OUR_ROLE = f"arn:aws:iam::{ACCOUNT}:role/irsa/EksIrsaRemediator-RemediatorRole"
WAITS_FOR_CNI = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: "
    "cni plugin not initialized"
)
NODE = "ip-10-0-1-7.eu-west-1.compute.internal"
NODE_CONTROLLER = {"username": "system:serviceaccount:kube-system:node-controller", "groups": ["system:authenticated"]}
ADMIN = {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}


def role_session(role: str, session: str, *groups: str) -> dict[str, Any]:
    """A user as the authenticator makes one of a role's session."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"
    extra = {"arn": [arn], "canonicalArn": [f"arn:aws:iam::{ACCOUNT}:role/{role}"], "sessionName": [session]}
    return {"username": arn, "groups": [*groups, "system:authenticated"], "extra": extra}


def record(verb: str, resource: str, name: str = "", *, user: dict[str, Any] | None = None, code: int = 200, **more: Any) -> dict[str, Any]:
    """One record. `more`: `namespace`, `subresource`, `query`, `request`, `response`, `at`, `agent`, `stage`."""
    reference = {"resource": resource, "namespace": more.get("namespace"), "name": name or None, "apiVersion": "v1"}
    reference |= {"subresource": more.get("subresource")}
    place = f"/namespaces/{more['namespace']}" if more.get("namespace") else ""
    path = "/".join(item for item in (f"/api/v1{place}/{resource}", name, more.get("subresource")) if item)
    made = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "auditID": "93e24148-0aa6-4166-8086-a689b0031612",
        "stage": more.get("stage", "ResponseComplete"),
        "requestURI": path + more.get("query", ""),
        "verb": verb,
        "user": user or ADMIN,
        "sourceIPs": ["203.0.113.7"],
        "userAgent": more.get("agent", "kubectl/v1.33.1 (linux/amd64) kubernetes/8adc0f0"),
        "objectRef": {key: value for key, value in reference.items() if value is not None},
        "responseStatus": {"metadata": {}, "code": code},
        "requestObject": more.get("request"),
        "responseObject": more.get("response"),
        "requestReceivedTimestamp": more.get("at", "2026-09-27T21:06:47.868376Z"),
        "stageTimestamp": more.get("at", "2026-09-27T21:06:47.883489Z"),
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    }
    return {key: value for key, value in made.items() if value is not None}


def kubelet_patch(
    node: str = NODE, *, ready: str = "False", message: str = WAITS_FOR_CNI, at_index: int = 3, **more: Any
) -> dict[str, Any]:
    """A kubelet reports its node's conditions; Ready is at the given index."""
    others = [
        {"type": item, "status": "False", "lastHeartbeatTime": "2026-09-27T21:06:47Z"}
        for item in ("DiskPressure", "MemoryPressure", "PIDPressure")
    ]
    reason = "KubeletReady" if ready == "True" else "KubeletNotReady"
    conditions: list[dict[str, str]] = [*others, {"type": "NetworkingReady", "status": "True"}, {"type": "KernelReady", "status": "True"}]
    conditions.insert(at_index, {"type": "Ready", "status": ready, "reason": reason, "message": message})
    user = {"username": f"system:node:{node}", "groups": ["system:nodes", "system:authenticated"]}
    body = {"status": {"$setElementOrder/conditions": [{"type": condition["type"]} for condition in conditions], "conditions": conditions}}
    return record("patch", "nodes", node, subresource="status", user=user, request=body, agent="kubelet/v1.33.1", **more)


def silent_node(node: str = NODE, **more: Any) -> dict[str, Any]:
    """The node controller gives up on a kubelet: a whole Node, every condition Unknown."""
    kinds = ("MemoryPressure", "DiskPressure", "PIDPressure", "Ready")
    conditions = [
        {"type": kind, "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
        for kind in kinds
    ]
    body = {"kind": "Node", "metadata": {"name": node}, "status": {"conditions": conditions}}
    return record("update", "nodes", node, subresource="status", user=NODE_CONTROLLER, request=body, response=body, **more)


def registration(node: str = NODE, **more: Any) -> dict[str, Any]:
    """A kubelet registers its node; the URL of a creation has no name."""
    user = {"username": f"system:node:{node}", "groups": ["system:nodes", "system:authenticated"]}
    body = {"kind": "Node", "metadata": {"name": node}}
    return record("create", "nodes", user=user, request=body, response=body, **({"code": 201} | more))


def service_account_write(verb: str = "patch", name: str = "aws-node", **more: Any) -> dict[str, Any]:
    """Someone writes a ServiceAccount of kube-system."""
    return record(verb, "serviceaccounts", name, **({"namespace": "kube-system"} | more))


def created_pod(name: str = "aws-node-x7k2p", *webhooks: str, account: str = "aws-node", namespace: str = "kube-system") -> dict[str, Any]:
    """A pod that a DaemonSet controller created, with the annotation of each webhook that failed open for it."""
    user = {"username": "system:serviceaccount:kube-system:daemon-set-controller", "groups": ["system:serviceaccounts"]}
    body = {"metadata": {"generateName": "aws-node-"}, "spec": {"serviceAccountName": account}}
    made = record("create", "pods", namespace=namespace, user=user, request=body, response={**body, "metadata": {"name": name}})
    keys = (f"failed-open.mutation.webhook.admission.k8s.io/round_0_index_{index}" for index in range(len(webhooks)))
    return {**made, "annotations": made["annotations"] | dict(zip(keys, webhooks, strict=True))}


def payload(records: Iterable[object], **head: Any) -> dict[str, Any]:
    """The payload of the invocation: the records as log lines; a string is a line."""
    lines = [item if isinstance(item, str) else json.dumps(item, separators=(",", ":")) for item in records]
    body = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": LOG_GROUP,
        "logStream": LOG_STREAM,
        "subscriptionFilters": ["audit"],
        "logEvents": [{"id": f"3962{item:052}", "timestamp": 1790543207868 + item, "message": line} for item, line in enumerate(lines)],
    }
    return packed(json.dumps(body | head, separators=(",", ":")).encode())


def packed(body: bytes) -> dict[str, Any]:
    """Bytes as a subscription delivers them."""
    return {"awslogs": {"data": base64.b64encode(gzip.compress(body, 1)).decode()}}
