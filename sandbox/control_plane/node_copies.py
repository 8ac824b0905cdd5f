"""Copies a node and its pods in etcd, for a cluster with thousands of nodes that no controller has to create."""

import copy
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.control_plane.api_client import ApiClient

NAMESPACE = "kube-system"
Object = Mapping[str, Any]


def of_node(client: ApiClient, node: str, count: int) -> Iterator[tuple[str, Object]]:
    """`(key in etcd, object)`: `count` copies of a node and of its kube-system pods, including status and managed fields."""
    original = client.get(f"/api/v1/nodes/{node}")
    pods = client.get(f"/api/v1/namespaces/{NAMESPACE}/pods", fieldSelector=f"spec.nodeName={node}")["items"]
    for number in range(count):
        name = f"copy-{number:05}-of-{node}"
        yield f"/registry/minions/{name}", _renamed(original, name, node)
        for pod in pods:
            copied_pod = _renamed({"apiVersion": "v1", "kind": "Pod", **pod}, f"{pod['metadata']['name']}-{number:05}", node)
            copied_pod["spec"]["nodeName"] = name
            yield f"/registry/pods/{NAMESPACE}/{copied_pod['metadata']['name']}", copied_pod


def _renamed(original: Object, name: str, node: str) -> dict[str, Any]:
    renamed = copy.deepcopy(dict(original))
    metadata = renamed["metadata"]
    metadata |= {"name": name, "uid": str(uuid.uuid4())}
    del metadata["resourceVersion"]  # etcd assigns it
    if metadata.get("labels", {}).get("kubernetes.io/hostname") == node:
        metadata["labels"]["kubernetes.io/hostname"] = name
    return renamed
