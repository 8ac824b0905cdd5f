"""A fleet without controllers: local AWS APIs and one API server that serves every cluster."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
import trustme

from lambdas.contract.environment import ALLOCATOR, FUNCTION_NAME
from lambdas.contract.parameters import binding_path
from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.local_aws import REGION, LocalAws
from sandbox.cluster import aws_node
from sandbox.cluster.clock import stamp, utc_now
from sandbox.cluster.embedded_cluster import EmbeddedCluster, Identity
from sandbox.cluster.manifests import node
from sandbox.cluster.resources import DAEMON_SETS, NODES, PODS, SERVICE_ACCOUNTS
from sandbox.controllers import pod_status
from sandbox.resource_stack import ResourceStack
from sandbox.simulation import aws_account
from sandbox.simulation.aws_account import CHECKER, NAMESPACE, ROLE, role_arn
from sandbox.simulation.deployment import function_variables
from sandbox.simulation.scenario import World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.aws.call_log import Call
    from sandbox.cluster.http_messages import RequestRecord
    from sandbox.cluster.object_store import ObjectStore

MASTERS: Final = "system:masters"
TOKEN_PREFIX: Final = "k8s-aws-v1."  # noqa: S105  # prefix of every EKS token


def cluster_names(count: int) -> list[str]:
    """Return the cluster names of a fleet; the first is `demo`."""
    return ["demo", *(f"fleet-{n:03}" for n in range(1, count))]


@dataclass
class StaticFleet(ResourceStack):
    """A healthy fleet: `clusters` EKS clusters, all served by one API server with `nodes` nodes and as many aws-node pods.

    The API server accepts every well-formed token, since verifying tokens would add to each measured request.
    """

    clusters: int = 1
    nodes: int = 12
    unready_nodes: int = 0
    aws: LocalAws = field(default_factory=LocalAws)

    @property
    def names(self) -> list[str]:
        return cluster_names(self.clusters)

    def function_environment(self, principal: str = CHECKER) -> dict[str, str]:
        """Return the environment variables of a deployed function, with the credentials of the principal."""
        return ALLOCATOR | {FUNCTION_NAME: principal} | function_variables(self.topics) | self.aws.environment(principal)

    def requests_since(self, mark: tuple[int, int]) -> tuple[tuple[RequestRecord, ...], tuple[Call, ...]]:
        """Return the Kubernetes requests and AWS calls since `mark`."""
        return tuple(self.cluster.requests[mark[0] :]), self.aws.calls.all()[mark[1] :]

    def mark(self) -> tuple[int, int]:
        """Return the current position in both logs, for `requests_since`."""
        return len(self.cluster.requests), len(self.aws.calls.all())

    def _set_up(self) -> None:
        self._stack.enter_context(self.aws)
        self.cluster = self._stack.enter_context(EmbeddedCluster("bench", authenticate=accept_token, certificate=trustme.CA()))
        self._fill_aws()
        fill_cluster(self.cluster.store, nodes=self.nodes, role=role_arn(ROLE), unready_nodes=self.unready_nodes)

    def _fill_aws(self) -> None:
        world = World()
        issuer = f"https://oidc.eks.{REGION}.amazonaws.com/id/{'77D0' * 8}"
        ca_data = base64.b64encode(self.cluster.ca_pem).decode()
        aws_account.create_identity(self.aws, world, issuer)
        aws_account.create_function_roles(self.aws)
        aws_account.create_table(self.aws)
        self.topics = aws_account.create_topics(self.aws)
        ssm = self.aws.client("ssm")
        for name in self.names:
            self.aws.eks.add_cluster(ClusterSpec(name=name, endpoint=self.cluster.url, ca_data=ca_data, issuer=issuer))
            self.aws.eks.add_addon(name, "vpc-cni", addonVersion=world.addon_version, serviceAccountRoleArn=role_arn(ROLE))
            ssm.put_parameter(Name=binding_path(name, NAMESPACE, aws_node.NAME), Value=role_arn(ROLE), Type="String")


def fill_cluster(store: ObjectStore, *, nodes: int, role: str, unready_nodes: int = 0) -> None:
    """Create aws-node with this role as EKS leaves it, with one pod on each node."""
    store.create(SERVICE_ACCOUNTS, aws_node.service_account(role_arn=role), by="eks")
    daemon_set = store.create(DAEMON_SETS, aws_node.daemon_set(), by="eks")
    store.patch(DAEMON_SETS, aws_node.NAME, NAMESPACE, patch={"status": _status(nodes)}, subresource="status")
    for n in range(nodes):
        host = node(n, ready=n >= unready_nodes)
        store.create(NODES, host, by="kubelet")
        pod = _pod(daemon_set, host, n, role)
        store.create(PODS, pod, NAMESPACE, by="kube-controller-manager")
        status = pod_status.running(pod, host, stamp(utc_now()))
        store.patch(PODS, pod["metadata"]["name"], NAMESPACE, patch={"status": status}, subresource="status")


def accept_token(token: str) -> Identity | None:
    """Return an administrator for every well-formed token."""
    return Identity("bench", (MASTERS,)) if token.startswith(TOKEN_PREFIX) else None


def _status(count: int) -> dict[str, Any]:
    numbers = ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable", "updatedNumberScheduled")
    return dict.fromkeys(numbers, count) | {"numberMisscheduled": 0, "observedGeneration": 1}


def _pod(daemon_set: Mapping[str, Any], host: Mapping[str, Any], n: int, role: str) -> dict[str, Any]:
    """Return a pod as the DaemonSet controller, the identity webhook and the kubelet leave it."""
    template = orjson.loads(orjson.dumps(daemon_set["spec"]["template"]))
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": aws_node.NAME, "uid": daemon_set["metadata"]["uid"], "controller": True}
    metadata = template["metadata"] | {"name": f"{aws_node.NAME}-{n:05}", "namespace": NAMESPACE, "ownerReferences": [owner]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] | {"nodeName": host["metadata"]["name"]}}
    pod["spec"]["serviceAccountName"] = aws_node.NAME
    injected = [{"name": "AWS_ROLE_ARN", "value": role}, {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/var/run/token"}]
    for container in (*pod["spec"]["containers"], *pod["spec"].get("initContainers", ())):
        container["env"] = [*container.get("env", ()), *injected]
    return pod
