"""KWOK nodes and the stock aws-node on them."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sandbox.cluster.aws_node import ROLE_KEY, service_account
from sandbox.cluster.aws_node import daemon_set as stock_daemon_set
from sandbox.control_plane.api_client import ApiClient
from tests.waiting import eventually

__all__ = ["ROLE_KEY", "service_account"]

NAMESPACE = "kube-system"
DAEMON_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
DAEMON_SET = f"{DAEMON_SETS}/aws-node"
SERVICE_ACCOUNTS = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
SERVICE_ACCOUNT = f"{SERVICE_ACCOUNTS}/aws-node"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"


def daemon_set(name: str = "aws-node", env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The stock DaemonSet, under another name or with more environment."""
    stock = stock_daemon_set()
    labels = {"k8s-app": name}
    stock["metadata"]["name"] = name
    stock["spec"]["selector"] = {"matchLabels": labels}
    stock["spec"]["template"]["metadata"]["labels"] = labels
    stock["spec"]["template"]["spec"]["containers"][0]["env"] += [{"name": key, "value": value} for key, value in (env or {}).items()]
    return stock


def containers(env: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = daemon_set(env=env)["spec"]["template"]["spec"]["containers"]
    return found


def add_nodes(client: ApiClient, names: Iterable[str]) -> None:
    """Register nodes, many at a time."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: client.create("/api/v1/nodes", _node(name)), names))


def _node(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name}
    return {"metadata": {"name": name, "labels": labels}}


def remove_nodes(client: ApiClient) -> None:
    for node in client.get("/api/v1/nodes")["items"]:
        client.delete(f"/api/v1/nodes/{node['metadata']['name']}")


def restart(client: ApiClient, at: str) -> None:
    """Stamp the pod template, by merge patch."""
    client.merge(DAEMON_SET, {"spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: at}}}}}, fieldManager="test")


def is_rolled_out(daemon: dict[str, Any]) -> bool:
    """What `kubectl rollout status` waits for."""
    status = daemon["status"]
    wanted = status.get("desiredNumberScheduled", 0)
    return bool(
        status.get("observedGeneration", 0) >= daemon["metadata"]["generation"]
        and status.get("updatedNumberScheduled", 0) == wanted
        and status.get("numberAvailable", 0) == wanted
    )


def wait_for_roll_out(client: ApiClient, wanted: int, within_s: float = 60) -> dict[str, Any]:
    def done(daemon: dict[str, Any]) -> bool:
        return is_rolled_out(daemon) and daemon["status"]["desiredNumberScheduled"] == wanted

    return eventually(lambda: client.get(DAEMON_SET), done, within_s)


def pods(client: ApiClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.get(PODS, labelSelector="k8s-app=aws-node")["items"]
    return items


def names(count: int) -> tuple[str, ...]:
    return tuple(f"node-{number:03}" for number in range(count))


def role(pod: dict[str, Any]) -> str | None:
    """Environment of the plug-in's container, as the pod was admitted."""
    (container,) = [item for item in pod["spec"]["containers"] if item["name"] == "aws-node"]
    return next((item["value"] for item in container["env"] if item["name"] == "AWS_ROLE_ARN"), None)


def roles(client: ApiClient) -> list[str | None]:
    return [role(pod) for pod in pods(client)]


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
