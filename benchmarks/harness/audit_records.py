"""Audit records that pass the subscription filter, packed as CloudWatch Logs packs them.

Shapes: https://repost.aws/knowledge-center/eks-get-control-plane-logs and
https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
"""

import base64
import gzip
import json
import random
from typing import Any, Final

from sandbox.aws.local_aws import ACCOUNT
from sandbox.cluster import aws_node
from sandbox.cluster.manifests import CNI_MISSING, conditions, deployment

_AT: Final = "2026-09-27T21:06:47.{:06}Z"


def batch(count: int, share: float) -> tuple[dict[str, Any], float]:
    """Return an invocation payload with `count` records, of which `share` is relevant, and its unpacked size in MB.

    The payload also holds `account` and `records`, which the benchmark reads.
    """
    chosen = random.Random(7)
    records = [_unready(n) if chosen.random() < share else _other(n) for n in range(count)]
    body = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": "/aws/eks/demo/cluster",
        "logStream": "kube-apiserver-audit-93e2414806a641668086a689b0031612",
        "subscriptionFilters": ["audit"],
        "logEvents": [{"id": f"3962{n:052}", "timestamp": 1790543207868 + n, "message": _line(item)} for n, item in enumerate(records)],
    }
    plain = _line(body).encode()
    packed = base64.b64encode(gzip.compress(plain, 6)).decode()
    return {"awslogs": {"data": packed}, "account": ACCOUNT, "records": count}, len(plain) / 1e6


def _line(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _record(n: int, verb: str, path: str, *, reference: dict[str, str], user: dict[str, Any], bodies: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse" if "responseObject" in bodies else "Request",
        "auditID": f"93e24148-0aa6-4166-8086-{n:012x}",
        "stage": "ResponseComplete",
        "requestURI": path,
        "verb": verb,
        "user": user,
        "sourceIPs": [f"10.0.{n // 250 % 250}.{n % 250}"],
        "userAgent": "kubelet/v1.33.1 (linux/amd64) kubernetes/8adc0f0",
        "objectRef": reference,
        "responseStatus": {"metadata": {}, "code": 200},
        **bodies,
        "requestReceivedTimestamp": _AT.format(n),
        "stageTimestamp": _AT.format(n),
        "annotations": {"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": ""},
    }


def _unready(n: int) -> dict[str, Any]:
    """Return the status patch of a kubelet whose network is not ready."""
    node = f"ip-10-0-{n // 250 % 250}-{n % 250}.eu-west-1.compute.internal"
    found = conditions(ready=False, since=_AT.format(0))
    assert found[-1]["message"] == CNI_MISSING
    body = {"status": {"$setElementOrder/conditions": [{"type": item["type"]} for item in found], "conditions": found}}
    user = {"username": f"system:node:{node}", "groups": ["system:nodes", "system:authenticated"]}
    reference = {"resource": "nodes", "name": node, "apiVersion": "v1", "subresource": "status"}
    return _record(n, "patch", f"/api/v1/nodes/{node}/status?timeout=10s", reference=reference, user=user, bodies={"requestObject": body})


def _other(n: int) -> dict[str, Any]:
    """Return the update of an unrelated Deployment. The filter passes every workload, since it cannot know the bound ones."""
    name = f"shop-{n % 400}"
    body = deployment(name, account=name, namespace="shop") | {"status": {"observedGeneration": n, "replicas": 2}}
    body["spec"]["template"]["spec"]["containers"] = [container | {"name": name} for container in _containers()]
    user = {"username": "arn:aws:sts::111122223333:assumed-role/ci-deploy/run-42", "groups": ["system:authenticated"]}
    reference = {"resource": "deployments", "namespace": "shop", "name": name, "apiVersion": "v1", "apiGroup": "apps"}
    bodies = {"requestObject": body, "responseObject": body}
    return _record(n, "update", f"/apis/apps/v1/namespaces/shop/deployments/{name}", reference=reference, user=user, bodies=bodies)


def _containers() -> list[dict[str, Any]]:
    """Return containers of realistic size with unrelated names."""
    template = aws_node.daemon_set()["spec"]["template"]["spec"]["containers"]
    return json.loads(json.dumps(template).replace(aws_node.NAME, "web"))  # type: ignore[no-any-return]
