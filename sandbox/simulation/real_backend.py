"""A real control plane under a play: real API server, controllers and login, nodes without machines, and the identity webhook."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING, Any, Final

import trustme
from rich.console import Console

from sandbox.cluster.clock import stamp, utc_now
from sandbox.cluster.manifests import node
from sandbox.cluster.resources import NODES, PODS, SERVICE_ACCOUNTS, Resource, resource_of
from sandbox.control_plane.api_client import ApiError
from sandbox.control_plane.authenticator import AccessEntry
from sandbox.control_plane.build import ensure
from sandbox.control_plane.cleanup import clear
from sandbox.control_plane.control_plane import ControlPlane
from sandbox.control_plane.informer import Informer
from sandbox.control_plane.kwok_stages import PluginCredentials
from sandbox.controllers.vpc_cni import Allowed, Unreachable
from sandbox.resource_stack import ResourceStack
from sandbox.webhook.identity_webhook import Association, IdentityWebhook, WebhookFaults
from sandbox.webhook.server import WebhookServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sandbox.aws.http_messages import Request, Response
    from sandbox.control_plane.sts_proxy import Sts
    from sandbox.controllers.vpc_cni import AssociatedRole, RoleCheck
    from sandbox.simulation.cluster_backend import Object

RELOAD_S: Final = 0.2
"""What the authenticator is given to read its mappings anew; it is told of the change by the file system at once."""

NOT_FOUND: Final = 404


class RealBackend(ResourceStack):
    """A control plane that is this ground's own, or one that runs already: that is emptied before and after.

    Args:
        control_plane: one that runs, for a cluster of the same name; None starts one, and builds it if need be.
        nodes: how many it will have about.
        sts: the STS of the local AWS, which the authenticator is led to.
        access_entries: the cluster's, as the EKS double holds them; read at each login.
        roles: those whose fitness for the plug-in is asked of `role_can_run_cni`; no other suffices.
        on_step: told what the set-up does.
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
        self._let_in: list[AccessEntry] = []
        self._roles = tuple(roles)
        self._can_run = role_can_run_cni
        self._associated_role = associated_role
        self._on_step = on_step
        self.webhook_faults = WebhookFaults()
        self._webhook = IdentityWebhook(self._annotations, association_of=association_of, faults=self.webhook_faults)
        self._informers: dict[Resource, Informer] = {}
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
        self._informers[SERVICE_ACCOUNTS] = self._watch(SERVICE_ACCOUNTS, self._webhook.see)

    def _own_control_plane(self) -> ControlPlane:
        binaries = ensure(Console(stderr=True))
        self._on_step("etcd, API server, controllers, scheduler, KWOK and aws-iam-authenticator")
        return self._stack.enter_context(ControlPlane(binaries, cluster_name=self._name, nodes=self._size))

    # --- what it is --------------------------------------------------------------------------------------------------------------

    @property
    def ca_data(self) -> str:
        """The certificate authority as `DescribeCluster` gives it."""
        return base64.b64encode(self.ca_pem).decode()

    @property
    def version(self) -> str:
        """What the API server says of itself, as EKS writes it: `1.36`."""
        told = self._admin.get("/version")
        return f"{told['major']}.{told['minor'].rstrip('+')}"

    @property
    def failure(self) -> Exception | None:
        """What ended one of the programs, if any has ended."""
        return self.plane.failure()

    # --- objects -----------------------------------------------------------------------------------------------------------------

    def apply(self, manifest: Object, manager: str) -> None:
        """Server-side apply, taking fields over from other managers."""
        metadata = manifest["metadata"]
        self._admin.apply(_path(resource_of(manifest), metadata["name"], metadata.get("namespace", "")), manifest, manager)

    def patch(self, resource: Resource, name: str, namespace: str, patch: Object, manager: str) -> None:
        """Merge patch as some manager."""
        self._admin.merge(_path(resource, name, namespace), patch, fieldManager=manager)

    def patch_status(self, resource: Resource, name: str, status: Object) -> None:
        """Merge patch of the status of an object that is in no namespace. A node's kubelet says nothing else from then on."""
        if resource is NODES:
            self._admin.merge(_path(NODES, name), {"metadata": {"annotations": {"sandbox/kubelet": "told"}}})
        self._admin.merge(f"{_path(resource, name)}/status", {"status": status})

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        """One object, or None."""
        return next((item for item in self.all_of(resource, namespace) if item["metadata"]["name"] == name), None)

    def all_of(self, resource: Resource, namespace: str = "") -> list[Object]:
        """All objects of a kind, as a watch tells of them: a play looks many times a second, which lists would make dear."""
        if resource not in self._informers:
            self._informers[resource] = self._watch(resource)
        return [item for item in self._informers[resource].objects() if item["metadata"].get("namespace", "") == namespace or not namespace]

    def delete(self, resource: Resource, name: str, namespace: str = "") -> None:
        """Delete one object; one that went meanwhile is as good as deleted. A pod's successor lives in the world as it is now."""
        if resource is PODS:
            self._bring_plugin_up_to_date()
        answer = self._admin.ask("DELETE", _path(resource, name, namespace))
        if answer.status >= 400 and answer.status != NOT_FOUND:
            raise ApiError("DELETE", name, answer)

    def _watch(self, resource: Resource, told: Callable[[Iterable[Object]], None] = lambda _: None) -> Informer:
        return self._stack.enter_context(Informer(self._admin, resource.path, told))

    # --- nodes -------------------------------------------------------------------------------------------------------------------

    def join_nodes(self, count: int) -> list[str]:
        """Let new nodes register, NotReady until the network plug-in has run there."""
        self._bring_plugin_up_to_date()
        made = [node(self._joined + index, ready=False, version=self.version) for index in range(count)]
        self._joined += count
        return [str(self._admin.create(NODES.path, each)["metadata"]["name"]) for each in made]

    def stop_kubelet(self, node: str) -> None:
        """The node's kubelet falls silent, and the control plane has noticed, which takes 50 s where it is left to find out."""
        dead = {"metadata": {"annotations": {"sandbox/kubelet": "stopped"}}}
        self._admin.merge(_path(NODES, node), dead)
        for pod in (item for item in self._admin.get(PODS.path)["items"] if item["spec"].get("nodeName") == node):
            self._admin.merge(_path(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"]), dead)
        found = self._admin.get(_path(NODES, node))["status"]["conditions"]
        said = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
        lost = [{**each, **said, "lastTransitionTime": stamp(utc_now())} for each in found]
        self._admin.merge(f"{_path(NODES, node)}/status", {"status": {"conditions": lost}})

    def _bring_plugin_up_to_date(self) -> None:
        if (credentials := self._credentials()) != self.plane.plugin:
            self.plane.set_plugin_credentials(credentials)

    def _credentials(self) -> PluginCredentials:
        """Whose permissions suffice in this world, as the stages of KWOK want to know it."""
        associated = self._associated_role("kube-system", "aws-node")
        return PluginCredentials(
            roles=frozenset(role for role in self._roles if self._suffices(role)),
            node_role=self._suffices(None),
            pod_identity=associated is not None and self._suffices(associated),
            sts_timeout=next((item.words for item in map(self._can_run, self._roles) if isinstance(item, Unreachable)), ""),
        )

    def _suffices(self, role: str | None) -> bool:
        return isinstance(self._can_run(role), Allowed)

    # --- login and admission -----------------------------------------------------------------------------------------------------

    def _answer_login(self, request: Request) -> Response:
        """STS' answer to the authenticator, which maps the role only after it: the moment to bring its mappings up to date."""
        entries = [
            AccessEntry(access_entry["principalArn"], tuple(access_entry["kubernetesGroups"]), access_entry["username"])
            for access_entry in self._access_entries()
        ]
        if entries != self._let_in:
            self.plane.allow(entries)
            self._let_in = entries
            time.sleep(RELOAD_S)
        return self._sts(request)

    def _annotations(self, namespace: str, name: str) -> Mapping[str, str]:
        answer = self._admin.ask("GET", _path(SERVICE_ACCOUNTS, name, namespace))
        found: Mapping[str, str] = answer.body["metadata"].get("annotations", {}) if answer.status != NOT_FOUND else {}
        return found


def _path(resource: Resource, name: str, namespace: str = "") -> str:
    parent, _, plural = resource.path.rpartition("/")
    return f"{parent}/namespaces/{namespace}/{plural}/{name}" if namespace else f"{resource.path}/{name}"
