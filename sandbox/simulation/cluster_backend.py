"""The cluster of an environment: the interface, and its implementation by the embedded cluster."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Protocol, Self

import trustme

from lambdas.domain.diagnosis.node_log import explain
from sandbox.cluster import pod_identity_agent
from sandbox.cluster.deletion import Preconditions
from sandbox.cluster.embedded_cluster import EmbeddedCluster
from sandbox.cluster.resources import NODES, PODS, SERVICE_ACCOUNTS, Resource
from sandbox.cluster.tokens import TokenVerifier
from sandbox.controllers.cluster_snapshot import is_ready
from sandbox.controllers.controller_manager import ControllerManager
from sandbox.controllers.kubelet import Timings
from sandbox.controllers.node_files import IPAMD_LOG
from sandbox.controllers.vpc_cni import AssociatedRole, RoleCheck
from sandbox.simulation.aws_account import NAMESPACE
from sandbox.webhook.identity_webhook import Association, IdentityWebhook, WebhookFaults
from sandbox.webhook.server import WebhookServer

Object = Mapping[str, Any]


class ClusterBackend(Protocol):
    """A cluster that a scenario runs on; a context manager.

    `version` is the Kubernetes version, such as `1.36`; `failure` is the error that ended a part of the cluster.
    """

    url: str
    ca_pem: bytes
    webhook_faults: WebhookFaults

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def ca_data(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def failure(self) -> Exception | None: ...

    def apply(self, manifest: Object, manager: str) -> None: ...

    def patch(self, resource: Resource, name: str, namespace: str, patch: Object, manager: str) -> None: ...

    def patch_status(self, resource: Resource, name: str, status: Object) -> None: ...

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None: ...

    def all_of(self, resource: Resource, namespace: str = "") -> list[Object]: ...

    def delete(self, resource: Resource, name: str, namespace: str = "") -> None: ...

    def join_nodes(self, count: int) -> list[str]: ...

    def stop_kubelet(self, node: str) -> None: ...

    def set_agents(self, *, absent: Sequence[str] = (), unready: Sequence[str] = ()) -> None: ...

    def update_plugin_credentials(self) -> None: ...

    def read_node_file(self, node: str, path: str) -> str: ...


class EmbeddedBackend:
    """The embedded cluster with its controllers, and the identity webhook as a separate server."""

    def __init__(
        self,
        name: str,
        *,
        version: str,
        sts_url: str,
        access_entries: Callable[[], Iterable[Mapping[str, Any]]],
        role_can_run_cni: RoleCheck,
        association_of: Association,
        associated_role: AssociatedRole,
        timings: Timings | None = None,
    ) -> None:
        authority = trustme.CA()
        verifier = TokenVerifier(cluster=name, sts_url=sts_url, access_entries=access_entries)
        self.cluster = EmbeddedCluster(name, authenticate=verifier, certificate=authority, version=version)
        self.webhook_faults = WebhookFaults()
        self._webhook = IdentityWebhook(self._annotations, association_of=association_of, faults=self.webhook_faults)
        self._server = WebhookServer(self._webhook, authority)
        self.controller_manager = ControllerManager(
            self.cluster.store,
            role_can_run_cni=role_can_run_cni,
            associated_role=associated_role,
            timings=timings,
            webhook=self._webhook,
        )
        self.url, self.ca_pem = self.cluster.url, self.cluster.ca_pem
        self._version = version
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self.cluster)
        self._stack.enter_context(self._server)
        self.apply(self._server.configuration(), "sandbox")
        self._stack.enter_context(self.controller_manager)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def ca_data(self) -> str:
        """The certificate authority as `DescribeCluster` returns it."""
        return base64.b64encode(self.ca_pem).decode()

    @property
    def version(self) -> str:
        """The Kubernetes version."""
        return self._version

    @property
    def failure(self) -> Exception | None:
        """The error that stopped the controllers, or None."""
        return self.controller_manager.failure

    def apply(self, manifest: Object, manager: str) -> None:
        """Create or apply an object."""
        self.cluster.apply(manifest, manager)

    def patch(self, resource: Resource, name: str, namespace: str, patch: Object, manager: str) -> None:
        """Merge patch by a field manager."""
        self.cluster.store.patch(resource, name, namespace, patch=patch, by=manager)

    def patch_status(self, resource: Resource, name: str, status: Object) -> None:
        """Merge patch of the status of a cluster-scoped object."""
        self.cluster.store.patch(resource, name, patch={"status": status}, subresource="status")

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        """One object, or None."""
        return self.cluster.store.find(resource, name, namespace)

    def all_of(self, resource: Resource, namespace: str = "") -> list[Object]:
        """All objects of a kind. They are shared with the store and must not be changed."""
        entries, _ = self.cluster.store.entries(resource, namespace)
        return [each.obj for each in entries]

    def delete(self, resource: Resource, name: str, namespace: str = "") -> None:
        """Delete one object."""
        self.cluster.store.delete(resource, name, namespace, preconditions=Preconditions())

    def join_nodes(self, count: int) -> list[str]:
        """Register new nodes; returns their names."""
        return self.controller_manager.join_nodes(count)

    def stop_kubelet(self, node: str) -> None:
        """Stop the kubelet of a node."""
        self.controller_manager.stop_kubelet(node)

    def set_agents(self, *, absent: Sequence[str] = (), unready: Sequence[str] = ()) -> None:
        """Install the Pod Identity agent: not on the nodes `absent`, not ready on the nodes `unready`, and ready on all others."""
        self.controller_manager.set_unready_agents(unready)
        self.apply(pod_identity_agent.daemon_set(not_on=absent), "eks")

    def update_plugin_credentials(self) -> None:
        """Let pods use changed associations. Here the kubelet reads the role at each start of a container."""

    def read_node_file(self, node: str, path: str) -> str:
        """The content of a file on a node, which no API serves; empty if it does not exist."""
        return self.controller_manager.files.read(node, path)

    def _annotations(self, namespace: str, name: str) -> Mapping[str, str]:
        found = self.cluster.store.find(SERVICE_ACCOUNTS, name, namespace) or {}
        annotations: Mapping[str, str] = found.get("metadata", {}).get("annotations") or {}
        return annotations


def nodes_ready(backend: ClusterBackend) -> tuple[int, int]:
    """How many nodes are Ready, and how many exist."""
    return _ready(backend.all_of(NODES))


def pods_ready(backend: ClusterBackend, service_account: str) -> tuple[int, int]:
    """How many pods of a ServiceAccount are ready, and how many exist."""
    return _ready(pods_of(backend, service_account))


def agent_nodes(backend: ClusterBackend) -> frozenset[str]:
    """The nodes on which a pod of the Pod Identity agent is ready."""
    agents = (pod for pod in backend.all_of(PODS, NAMESPACE) if pod_identity_agent.is_agent(pod) and is_ready(pod))
    return pod_identity_agent.nodes_of(agents)


def pods_of(backend: ClusterBackend, service_account: str) -> list[Object]:
    """The pods of a ServiceAccount in kube-system."""
    return [item for item in backend.all_of(PODS, NAMESPACE) if item["spec"].get("serviceAccountName") == service_account]


def causes_on_nodes(backend: ClusterBackend) -> tuple[str, ...]:
    """The decisive causes that `explain-log` names in the logs of the network plug-in, sorted. No function can read these files."""
    logs = [backend.read_node_file(node["metadata"]["name"], IPAMD_LOG) for node in backend.all_of(NODES)]
    found = [finding.cause for log in logs for finding in explain(log.splitlines()).findings]
    return tuple(sorted({cause.id for cause in found if cause.decisive}))


def _ready(objects: list[Object]) -> tuple[int, int]:
    return sum(map(is_ready, objects)), len(objects)
