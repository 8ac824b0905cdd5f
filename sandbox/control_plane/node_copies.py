"""Copies of a node and its pods as the store keeps them: a cluster of thousands of nodes that no controller had to make."""

import copy
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.control_plane.api_client import ApiClient

NAMESPACE = "kube-system"
Object = Mapping[str, Any]


def of_node(client: ApiClient, node: str, count: int) -> Iterator[tuple[str, Object]]:
    """`(key in the store, object)`: `count` copies of a node and of each pod of kube-system on it, status and managed fields included."""
    original = client.get(f"/api/v1/nodes/{node}")
    pods = client.get(f"/api/v1/namespaces/{NAMESPACE}/pods", fieldSelector=f"spec.nodeName={node}")["items"]
    for number in range(count):
        name = f"copy-{number:05}-of-{node}"
        yield f"/registry/minions/{name}", _renamed(original, name, node)
        for pod in pods:
            made = _renamed({"apiVersion": "v1", "kind": "Pod", **pod}, f"{pod['metadata']['name']}-{number:05}", node)
            made["spec"]["nodeName"] = name
            yield f"/registry/pods/{NAMESPACE}/{made['metadata']['name']}", made


def _renamed(original: Object, name: str, node: str) -> dict[str, Any]:
    made = copy.deepcopy(dict(original))
    metadata = made["metadata"]
    metadata |= {"name": name, "uid": str(uuid.uuid4())}
    del metadata["resourceVersion"]  # the store's revision, which it gives
    if metadata.get("labels", {}).get("kubernetes.io/hostname") == node:
        metadata["labels"]["kubernetes.io/hostname"] = name
    return made
