"""A real control plane for an environment: real API server, controllers and login, KWOK nodes, and the identity webhook."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, Final

import trustme
from rich.console import Console

from sandbox.cluster import pod_identity_agent
from sandbox.cluster.clock import stamp, utc_now
from sandbox.cluster.manifests import node
from sandbox.cluster.resources import NODES, PODS, SERVICE_ACCOUNTS, Resource, resource_of
from sandbox.control_plane.api_client import ApiError
from sandbox.control_plane.authenticator import AccessEntry
from sandbox.control_plane.build import ensure
from sandbox.control_plane.cleanup import clear
from sandbox.control_plane.control_plane import ControlPlane
from sandbox.control_plane.informer import Informer
from sandbox.control_plane.kwok_stages import NODE_ROLE, POD_IDENTITY, PluginCredentials
from sandbox.controllers.ipamd import log_lines
from sandbox.controllers.node_files import IPAMD_LOG
from sandbox.controllers.vpc_cni import Allowed, Denied, effective_role, is_plugin
from sandbox.resource_stack import ResourceStack
from sandbox.simulation.cluster_backend import agent_nodes
from sandbox.webhook.identity_webhook import Association, IdentityWebhook, WebhookFaults
from sandbox.webhook.server import WebhookServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sandbox.aws.http_messages import Request, Response
    from sandbox.control_plane.sts_proxy import Sts
    from sandbox.controllers.vpc_cni import AssociatedRole, RoleCheck
    from sandbox.simulation.cluster_backend import Object

RELOAD_S: Final = 0.2
"""Time for the authenticator to reload its mappings; the file system notifies it of a change at once."""

NOT_FOUND: Final = 404


class RealBackend(ResourceStack):
    """A control plane that this environment starts, or a running one, which is emptied before and after.

    Args:
        control_plane: a running one for a cluster of the same name; None builds (if needed) and starts one.
        nodes: approximate number of nodes.
        sts: the STS of the local AWS, which the authenticator calls.
        access_entries: access entries of the EKS double; read at each login.
        roles: the roles that `role_can_run_cni` accepts; no other role works.
        on_step: called with each step of the set-up.
    """

    def __init__(
        self,
        name: str,
        *,
        control_plane: ControlPlane | None,
        nodes: int,
        sts: Sts,
        access_entries: Callable[[], Iterable[Mapping[str, Any]]],
        roles: Iterable[str],
        role_can_run_cni: RoleCheck,
        association_of: Association,
        associated_role: AssociatedRole,
        on_step: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._name = name
        self._running = control_plane
        self._size = nodes
        self._sts = sts
        self._access_entries = access_entries
        self._mapped_entries: list[AccessEntry] = []
        self._roles = tuple(roles)
        self._can_run = role_can_run_cni
        self._associated_role = associated_role
        self._on_step = on_step
        self.webhook_faults = WebhookFaults()
        self._webhook = IdentityWebhook(self._annotations, association_of=association_of, faults=self.webhook_faults)
        self._informers: dict[Resource, Informer] = {}
        self._has_agent = False
        self._without_agent: tuple[str, ...] = ()
        self._unready_agents: tuple[str, ...] = ()
        self._joined = 0

    def _set_up(self) -> None:
        self.plane = self._running or self._own_control_plane()
        self._admin = self.plane.client()
        if self._running:
            self._stack.callback(clear, self._admin)
        clear(self._admin)
        self.plane.allow(())
        self.plane.sts = self._answer_login
        self.url, self.ca_pem = self.plane.url, self.plane.ca_pem.encode()
        server = self._stack.enter_context(WebhookServer(self._webhook, trustme.CA()))
        self.apply(server.configuration(), "sandbox")
        self._informers[SERVICE_ACCOUNTS] = self._watch(SERVICE_ACCOUNTS, self._webhook.update_cache)

    def _own_control_plane(self) -> ControlPlane:
        binaries = ensure(Console(stderr=True))
        self._on_step("etcd, API server, controllers, scheduler, KWOK and aws-iam-authenticator")
        return self._stack.enter_context(ControlPlane(binaries, cluster_name=self._name, nodes=self._size))

    # --- state -------------------------------------------------------------------------------------------------------------------

    @property
    def ca_data(self) -> str:
        """The certificate authority as `DescribeCluster` returns it."""
        return base64.b64encode(self.ca_pem).decode()

    @property
    def version(self) -> str:
        """The Kubernetes version in the form that EKS uses, such as `1.36`."""
        version = self._admin.get("/version")
        return f"{version['major']}.{version['minor'].rstrip('+')}"

    @property
    def failure(self) -> Exception | None:
        """The error of the first program that ended, or None."""
        return self.plane.failure()

    # --- objects -----------------------------------------------------------------------------------------------------------------

    def apply(self, manifest: Object, manager: str) -> None:
        """Server-side apply that takes over fields of other managers."""
        metadata = manifest["metadata"]
        self._admin.apply(_path(resource_of(manifest), metadata["name"], metadata.get("namespace", "")), manifest, manager)

    def patch(self, resource: Resource, name: str, namespace: str, patch: Object, manager: str) -> None:
        """Merge patch by a field manager."""
        self._admin.merge(_path(resource, name, namespace), patch, fieldManager=manager)

    def patch_status(self, resource: Resource, name: str, status: Object) -> None:
        """Merge patch of the status of a cluster-scoped object. KWOK no longer changes the status of a node that was patched here."""
        if resource is NODES:
            self._admin.merge(_path(NODES, name), {"metadata": {"annotations": {"sandbox/kubelet": "patched"}}})
        self._admin.merge(f"{_path(resource, name)}/status", {"status": status})

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        """One object, or None."""
        return next((item for item in self.all_of(resource, namespace) if item["metadata"]["name"] == name), None)

    def all_of(self, resource: Resource, namespace: str = "") -> list[Object]:
        """All objects of a kind, from a watch: a scenario run polls many times a second, and lists would be slow."""
        if resource not in self._informers:
            self._informers[resource] = self._watch(resource)
        return [item for item in self._informers[resource].objects() if item["metadata"].get("namespace", "") == namespace or not namespace]

    def delete(self, resource: Resource, name: str, namespace: str = "") -> None:
        """Delete one object; an object that no longer exists is no error. The replacement of a pod gets the current plug-in credentials."""
        if resource is PODS:
            self.update_plugin_credentials()
        answer = self._admin.ask("DELETE", _path(resource, name, namespace))
        if answer.status >= 400 and answer.status != NOT_FOUND:
            raise ApiError("DELETE", name, answer)

    def _watch(self, resource: Resource, on_change: Callable[[Iterable[Object]], None] = lambda _: None) -> Informer:
        return self._stack.enter_context(Informer(self._admin, resource.path, on_change))

    # --- nodes -------------------------------------------------------------------------------------------------------------------

    def join_nodes(self, count: int) -> list[str]:
        """Register new nodes, which stay NotReady until the network plug-in has run on them."""
        self.update_plugin_credentials()
        made = [node(self._joined + index, ready=False, version=self.version) for index in range(count)]
        self._joined += count
        return [str(self._admin.create(NODES.path, each)["metadata"]["name"]) for each in made]

    def stop_kubelet(self, node: str) -> None:
        """Stop the kubelet of a node and set the conditions that the node controller would set after 50 s."""
        stopped = {"metadata": {"annotations": {"sandbox/kubelet": "stopped"}}}
        self._admin.merge(_path(NODES, node), stopped)
        for pod in (item for item in self._admin.get(PODS.path)["items"] if item["spec"].get("nodeName") == node):
            self._admin.merge(_path(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"]), stopped)
        found = self._admin.get(_path(NODES, node))["status"]["conditions"]
        unknown = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
        lost = [{**each, **unknown, "lastTransitionTime": stamp(utc_now())} for each in found]
        self._admin.merge(f"{_path(NODES, node)}/status", {"status": {"conditions": lost}})

    def set_agents(self, *, absent: Sequence[str] = (), unready: Sequence[str] = ()) -> None:
        """Install the Pod Identity agent: not on the nodes `absent`, not ready on the nodes `unready`, and ready on all others."""
        self._has_agent, self._without_agent, self._unready_agents = True, tuple(absent), tuple(unready)
        self.update_plugin_credentials()
        self.apply(pod_identity_agent.daemon_set(not_on=absent), "eks")

    def update_plugin_credentials(self) -> None:
        """Let KWOK know which credentials the plug-in works with now. It reads them when it starts."""
        if (credentials := self._credentials()) != self.plane.plugin:
            self.plane.set_plugin_credentials(credentials)

    def _credentials(self) -> PluginCredentials:
        """Which credentials the plug-in works with in this world, for the stages of KWOK."""
        associated = self._associated_role("kube-system", "aws-node")
        users = {**{role: role for role in self._roles}, NODE_ROLE: None, **({POD_IDENTITY: associated} if associated else {})}
        verdicts = {identity: self._can_run(role) for identity, role in users.items()}
        return PluginCredentials(
            roles=frozenset(role for role in self._roles if isinstance(verdicts[role], Allowed)),
            node_role=isinstance(verdicts[NODE_ROLE], Allowed),
            pod_identity=self._has_agent and isinstance(verdicts.get(POD_IDENTITY), Allowed),
            reported=tuple((identity, found.api) for identity, found in verdicts.items() if isinstance(found, Denied) and found.reported),
            without_agent=self._without_agent,
            unready_agents=self._unready_agents,
        )

    def read_node_file(self, node: str, path: str) -> str:
        """The log of the plug-in, as its pods on the node would have written it: no program runs on a KWOK node."""
        if path != IPAMD_LOG:
            return ""
        pods = [pod for pod in self.all_of(PODS) if is_plugin(pod) and pod["spec"].get("nodeName") == node]
        has_agent = node in agent_nodes(self)
        verdicts = [(pod, self._can_run(effective_role(pod, self._associated_role, has_agent=has_agent))) for pod in pods]
        return "".join(f"{line}\n" for pod, verdict in verdicts for line in log_lines(pod, verdict, utc_now()))

    # --- login and admission -----------------------------------------------------------------------------------------------------

    def _answer_login(self, request: Request) -> Response:
        """Answer the authenticator's call to STS. The authenticator maps the role after the answer, so its mappings are updated first."""
        entries = [
            AccessEntry(entry["principalArn"], tuple(entry["kubernetesGroups"]), entry["username"]) for entry in self._access_entries()
        ]
        if entries != self._mapped_entries:
            self.plane.allow(entries)
            self._mapped_entries = entries
            time.sleep(RELOAD_S)
        return self._sts(request)

    def _annotations(self, namespace: str, name: str) -> Mapping[str, str]:
        answer = self._admin.ask("GET", _path(SERVICE_ACCOUNTS, name, namespace))
        found: Mapping[str, str] = answer.body["metadata"].get("annotations", {}) if answer.status != NOT_FOUND else {}
        return found


def _path(resource: Resource, name: str, namespace: str = "") -> str:
    parent, _, plural = resource.path.rpartition("/")
    return f"{parent}/namespaces/{namespace}/{plural}/{name}" if namespace else f"{resource.path}/{name}"
