"""The EKS Pod Identity agent as its chart installs it: DaemonSet `kube-system/eks-pod-identity-agent`.

Source: https://github.com/aws/eks-pod-identity-agent/tree/main/charts/eks-pod-identity-agent
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAME = "eks-pod-identity-agent"
_LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/instance": NAME}


def daemon_set(*, not_on: Sequence[str] = (), region: str = "eu-west-1") -> dict[str, Any]:
    """The DaemonSet, without status. A node affinity keeps it from the nodes with the host names `not_on`."""
    expressions: list[dict[str, Any]] = [
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
        {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate", "hybrid", "auto"]},
    ]
    if not_on:
        expressions.append({"key": "kubernetes.io/hostname", "operator": "NotIn", "values": list(not_on)})
    affinity = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}
    }
    container = {"name": NAME, "image": f"602401143452.dkr.ecr.{region}.amazonaws.com/eks/{NAME}:0.1.10"}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": "kube-system", "labels": _LABELS},
        "spec": {
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
            "selector": {"matchLabels": _LABELS},
            "template": {
                "metadata": {"labels": _LABELS},
                "spec": {
                    "hostNetwork": True,
                    "priorityClassName": "system-node-critical",
                    "tolerations": [{"operator": "Exists"}],
                    "affinity": affinity,
                    "containers": [container],
                },
            },
        },
    }


def is_agent(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is of the agent."""
    return bool(_LABELS.items() <= (pod["metadata"].get("labels") or {}).items())


def nodes_of(agents: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The nodes of these pods, without pods that are terminating or have no node."""
    return frozenset(
        pod["spec"]["nodeName"] for pod in agents if pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]
    )
