"""Nodes without machines and the stock aws-node on them."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sandbox.control_plane.http_client import ApiClient
from tests.e2e.waiting import eventually

NAMESPACE = "kube-system"
DAEMON_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
DAEMON_SET = f"{DAEMON_SETS}/aws-node"
SERVICE_ACCOUNTS = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
SERVICE_ACCOUNT = f"{SERVICE_ACCOUNTS}/aws-node"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
ROLE_KEY = "eks.amazonaws.com/role-arn"
ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"
IMAGE = "602401143452.dkr.ecr.eu-west-1.amazonaws.com"


def daemon_set(
    name: str = "aws-node", env: Mapping[str, str] | None = None, node_selector: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The DaemonSet in the shape the plug-in's own chart gives it: one init container, two containers, a tenth at a time.

    Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/master/config/master/aws-k8s-cni.yaml
    """
    labels = {"k8s-app": name}
    own = {"ADDITIONAL_ENI_TAGS": "{}", "AWS_VPC_K8S_CNI_LOGLEVEL": "DEBUG", "WARM_ENI_TARGET": "1"} | dict(env or {})
    mount = {"name": "cni-bin-dir", "mountPath": "/host/opt/cni/bin"}
    template = {
        "metadata": {"labels": {**labels, "app.kubernetes.io/name": name}},
        "spec": {
            "serviceAccountName": "aws-node",
            "hostNetwork": True,
            "priorityClassName": "system-node-critical",
            "terminationGracePeriodSeconds": 10,
            "tolerations": [{"operator": "Exists"}],
            "nodeSelector": dict(node_selector or {}),
            "initContainers": [{"name": "aws-vpc-cni-init", "image": f"{IMAGE}/amazon-k8s-cni-init:v1.20.1", "volumeMounts": [mount]}],
            "containers": [
                {
                    "name": "aws-node",
                    "image": f"{IMAGE}/amazon-k8s-cni:v1.20.1",
                    "env": [{"name": key, "value": value} for key, value in own.items()],
                    "resources": {"requests": {"cpu": "25m"}},
                    "readinessProbe": {"exec": {"command": ["/app/grpc-health-probe"]}, "timeoutSeconds": 10},
                    "volumeMounts": [mount],
                },
                {"name": "aws-eks-nodeagent", "image": f"{IMAGE}/amazon/aws-network-policy-agent:v1.2.4"},
            ],
            "volumes": [{"name": "cni-bin-dir", "hostPath": {"path": "/opt/cni/bin"}}],
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
            "template": template,
        },
    }


def add_nodes(client: ApiClient, names: Iterable[str]) -> None:
    """Register nodes, many at a time."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: client.create("/api/v1/nodes", {"metadata": {"name": name}}), names))


def remove_nodes(client: ApiClient) -> None:
    for node in client.get("/api/v1/nodes")["items"]:
        client.delete(f"/api/v1/nodes/{node['metadata']['name']}")


def restart(client: ApiClient, at: str) -> None:
    """Stamp the pod template, by merge patch."""
    client.merge(DAEMON_SET, {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}}, fieldManager="test")


def rolled_out(daemon: dict[str, Any]) -> bool:
    """What `kubectl rollout status` waits for."""
    status = daemon["status"]
    wanted = status.get("desiredNumberScheduled", 0)
    return (
        status.get("observedGeneration", 0) >= daemon["metadata"]["generation"]
        and status.get("updatedNumberScheduled", 0) == wanted
        and status.get("numberAvailable", 0) == wanted
    )


def wait_for_roll_out(client: ApiClient, wanted: int, within_s: float = 60) -> dict[str, Any]:
    def done(daemon: dict[str, Any]) -> bool:
        return rolled_out(daemon) and daemon["status"]["desiredNumberScheduled"] == wanted

    return eventually(lambda: client.get(DAEMON_SET), done, within_s)


def pods(client: ApiClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(PODS, labelSelector="k8s-app=aws-node")["items"]
    return items


def forget_pods(client: ApiClient) -> None:
    """Remove pods whose kubelet went with its node; the garbage collector would take most of a minute."""
    client.do("DELETE", PODS, {"gracePeriodSeconds": 0}, query={"labelSelector": "k8s-app=aws-node"})


def ready_nodes(client: ApiClient) -> set[str]:
    return {
        node["metadata"]["name"]
        for node in client.get("/api/v1/nodes")["items"]
        for condition in node["status"].get("conditions", ())
        if (condition["type"], condition["status"]) == ("Ready", "True")
    }
