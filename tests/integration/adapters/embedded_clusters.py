"""An embedded cluster with the aws-node objects in it, and our client for it."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import trustme

from lambdas.adapters.cluster import Cluster, Clusters
from lambdas.contract.access import GROUPS, manifests
from lambdas.contract.environment import Function
from lambdas.domain.snapshot.snapshot import ClusterFacts
from sandbox.cluster import aws_node
from sandbox.cluster.embedded_cluster import EmbeddedCluster, Identity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lambdas.adapters.eks_token import Tokens

ROLE = "arn:aws:iam::111122223333:role/demo-vpc-cni"
NAMESPACE, NAME = "kube-system", "aws-node"


class GivenTokens:
    """Tokens by number, so that a test sees which was used: `token-1`, `token-2` after the first was forgotten."""

    def __init__(self, *, renews: bool = True) -> None:
        self.number = 1
        self.renews = renews

    def get(self, cluster: str) -> str:
        return f"token-{self.number}"

    def forget(self, cluster: str, rejected: str) -> bool:
        self.number += 1
        return self.renews


def authority() -> trustme.CA:
    return trustme.CA()


def facts(url: str, ca_pem: bytes) -> ClusterFacts:
    return ClusterFacts(
        name="demo",
        arn="arn:aws:eks:eu-west-1:111122223333:cluster/demo",
        version="1.28",
        status="ACTIVE",
        endpoint=url,
        certificate_authority=base64.b64encode(ca_pem).decode(),
        issuer=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def embedded(function: Function = Function.REMEDIATOR, good_tokens: tuple[str, ...] = ("token-1",)) -> EmbeddedCluster:
    """A cluster that accepts `good_tokens` as the function, with the RBAC rules of the contract."""
    return EmbeddedCluster(
        "demo",
        authenticate=lambda token: Identity("us", (GROUPS[function],)) if token in good_tokens else None,
        certificate=authority(),
        rbac=manifests(),
    )


def login(cluster: EmbeddedCluster, tokens: Tokens | GivenTokens | None = None) -> Cluster:
    return Clusters(tokens or GivenTokens()).login(facts(cluster.url, cluster.ca_pem))  # type: ignore[arg-type]


def apply_aws_node(cluster: EmbeddedCluster, *, role_arn: str | None = None) -> None:
    cluster.apply(aws_node.service_account(role_arn=role_arn), "eks")
    cluster.apply(aws_node.daemon_set(), "eks")


def pod(name: str, *, env: dict[str, str] | None = None, **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "DaemonSet", "name": NAME, "uid": "u", "controller": True}],
        },
        "spec": {
            "serviceAccountName": NAME,
            "nodeName": f"node-of-{name}",
            "containers": [
                {"name": "aws-eks-nodeagent", "image": "i"},
                {"name": NAME, "image": "i", "env": [{"name": key, "value": value} for key, value in (env or {}).items()]},
            ],
        },
        "status": {"phase": "Running", **status},
    }


def node(name: str, ready: str, *, message: str = "kubelet is posting ready status", **labels: str) -> dict[str, Any]:
    at = "2026-01-01T00:00:00Z"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux", **labels}},
        "spec": {"providerID": f"aws:///eu-west-1a/i-{name}"},
        "status": {
            "conditions": [
                {"type": "DiskPressure", "status": "True", "lastTransitionTime": at},
                {"type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": message, "lastTransitionTime": at},
            ],
            "nodeInfo": {"osImage": "Amazon Linux 2023"},
        },
    }


def started(cluster: EmbeddedCluster) -> Iterator[EmbeddedCluster]:
    with cluster:
        yield cluster
