"""Runs every controller over one embedded store, and changes the nodes of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sandbox.cluster.manifests import node
from sandbox.cluster.resources import NODES, SERVICE_ACCOUNTS
from sandbox.controllers import daemonset_controller, garbage_collector, replica_controllers, scheduler
from sandbox.controllers.client import StoreClient
from sandbox.controllers.cluster_snapshot import ClusterSnapshot, is_ready
from sandbox.controllers.control_loop import ControlLoop
from sandbox.controllers.kubelet import Kubelet, Timings, any_role, no_role
from sandbox.controllers.node_files import NodeFiles
from sandbox.controllers.node_lifecycle_controller import NodeLifecycleController

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox.cluster.object_store import ObjectStore
    from sandbox.controllers.api_changes import Change
    from sandbox.controllers.vpc_cni import AssociatedRole, RoleCheck
    from sandbox.webhook.identity_webhook import IdentityWebhook


class ControllerManager:
    """Controllers, scheduler, kubelets and nodes of one cluster; a context manager.

    Args:
        role_can_run_cni: whether the network plug-in works with a role; None is the node's role.
        associated_role: the role of the pod identity association of a ServiceAccount.
        webhook: receives every ServiceAccount for its cache.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        role_can_run_cni: RoleCheck = any_role,
        associated_role: AssociatedRole = no_role,
        timings: Timings | None = None,
        webhook: IdentityWebhook | None = None,
    ) -> None:
        self._store = store
        self._stopped: set[str] = set()
        self._unready_agents: set[str] = set()
        self._joined = 0
        self.timings = timings or Timings()
        self.files = NodeFiles()
        kubelets = Kubelet(
            role_can_run_cni, associated_role, self.timings, stopped=self._stopped, unready_agents=self._unready_agents, files=self.files
        )
        nodes = NodeLifecycleController(self._stopped, self.files, self.timings)
        inform = _informer(webhook) if webhook else _nothing
        steps = (
            inform,
            nodes.step,
            daemonset_controller.step,
            replica_controllers.step,
            scheduler.step,
            kubelets.step,
            garbage_collector.step,
        )
        self._loop = ControlLoop(StoreClient(store, "kube-controller-manager"), steps)

    def __enter__(self) -> Self:
        self._loop.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.__exit__()

    @property
    def failure(self) -> Exception | None:
        """The error that stopped the loop, or None."""
        return self._loop.failure

    def join_nodes(self, count: int, **what: Any) -> list[str]:
        """Register new nodes, which are NotReady until the network plug-in has run on them. Returns their names."""
        made = [node(self._joined + index, ready=False, **what) for index in range(count)]
        self._joined += count
        return [str(self._store.create(NODES, each, by="kubelet")["metadata"]["name"]) for each in made]

    def remove_node(self, name: str) -> None:
        """Delete a node with its files; its pods are deleted after it."""
        self._store.delete(NODES, name)
        self.files.delete_all(name)

    def stop_kubelet(self, name: str) -> None:
        self._stopped.add(name)
        self._trigger_round(name)

    def start_kubelet(self, name: str) -> None:
        self._stopped.discard(name)
        self._trigger_round(name)

    def set_unready_agents(self, names: Iterable[str]) -> None:
        """Let the Pod Identity agent be not ready on these nodes, and ready on every other node where it runs."""
        changed = self._unready_agents ^ set(names)
        self._unready_agents ^= changed
        for entry in self._store.entries(NODES)[0]:
            if entry.obj["metadata"]["name"] in changed:
                self._trigger_round(entry.obj["metadata"]["name"])

    def ready_nodes(self) -> tuple[int, int]:
        """How many nodes are Ready, and how many exist."""
        entries, _ = self._store.entries(NODES)
        return sum(is_ready(each.obj) for each in entries), len(entries)

    def _trigger_round(self, name: str) -> None:
        """Write to the node, so that the loop starts a round at once."""
        marks = {
            "sandbox/kubelet": "stopped" if name in self._stopped else None,
            "sandbox/pod-identity-agent": "unready" if name in self._unready_agents else None,
        }
        mark = {"metadata": {"annotations": marks}}
        self._store.patch(NODES, name, patch=mark)


def _informer(webhook: IdentityWebhook) -> Any:
    def step(snapshot: ClusterSnapshot, _now_s: float) -> Iterator[Change]:
        webhook.update_cache(snapshot.of(SERVICE_ACCOUNTS))
        yield from ()

    return step


def _nothing(_world: ClusterSnapshot, _now_s: float) -> Iterator[Change]:
    yield from ()
