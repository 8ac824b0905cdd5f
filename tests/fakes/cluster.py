"""Fakes of the Kubernetes API and the cluster login."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lambdas.contract.names import FIELD_MANAGER, ROLE_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Conflict, NotFound
from lambdas.domain.ports import ClusterPort, ClustersPort
from lambdas.domain.snapshot.snapshot import (
    ClusterFacts,
    ComputeType,
    ControllerError,
    InstalledPolicy,
    Missing,
    NodeFacts,
    PluginError,
    PodFacts,
    ServiceAccountFacts,
    WorkloadFacts,
)
from tests.fakes.fault_injection import injects_faults
from tests.world import NAMESPACE, InCluster, World

if TYPE_CHECKING:
    from collections.abc import Mapping


@injects_faults(ClusterPort, "cluster")
class FakeCluster:
    """The Kubernetes API of one cluster; `here` is its state."""

    def __init__(self, world: World, here: InCluster) -> None:
        self._world = world
        self.here = here

    def service_account(self, namespace: str, name: str) -> ServiceAccountFacts | Missing:
        return self.here.accounts.get((namespace, name)) or Missing(f"ServiceAccount {namespace}/{name}")

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadFacts | Missing:
        if (namespace, kind, name) not in self.here.workloads:
            return Missing(f"{kind} {namespace}/{name}")
        facts, account = self.here.workloads[namespace, kind, name]
        pods = [pod for pod in self.here.pods.values() if pod.service_account == account]
        updated = sum(pod.revision >= facts.generation for pod in pods)
        return replace(facts, updated=updated, ready=sum(pod.facts.ready for pod in pods)) if pods else facts

    def owner(self, namespace: str, kind: str, name: str) -> tuple[WorkloadKind, str] | None:
        if kind == "ReplicaSet":
            kind, name = self.here.replica_sets.get((namespace, name), ("", ""))
        return (WorkloadKind(kind), name) if kind in tuple(WorkloadKind) else None

    def pods(self, namespace: str, service_account: str, node: str = "") -> tuple[PodFacts, ...]:
        key = (namespace, service_account)
        if self.here.pace:
            self._world.roll_out(self.here, key, self.here.pace)
        return tuple(pod.facts for pod in self.here.pods.values() if pod.service_account == key and node in ("", pod.facts.node))

    def agent_pods(self) -> tuple[PodFacts, ...]:
        return tuple(self._world.agent_pod(self.here, name) for name in self.here.agent_nodes)

    def nodes(self) -> tuple[NodeFacts, ...]:
        return tuple(self.here.nodes.values())

    def compute_types(self) -> Mapping[str, ComputeType]:
        found = {node.name: "windows" if node.os == "windows" else node.compute_type for node in self.here.nodes.values()}
        return {name: ComputeType(item) for name, item in found.items() if item}

    def plugin_errors(self, namespace: str) -> tuple[PluginError, ...]:
        found = self.here.errors if namespace == NAMESPACE else []
        return tuple(sorted(found, key=lambda item: item.at, reverse=True))

    def controller_errors(self, namespace: str, name: str) -> tuple[ControllerError, ...]:
        return tuple(self.here.controller_errors) if (namespace, name) in {(key[0], key[2]) for key in self.here.workloads} else ()

    def has_identity_webhook(self) -> bool:
        return self.here.webhook.is_registered

    def guards(self, namespace: str, name: str) -> tuple[InstalledPolicy, ...]:
        return self.here.guards.get((namespace, name), ())

    def apply_annotation(self, namespace: str, name: str, role_arn: str, resource_version: str) -> None:
        self._annotate(namespace, name, role_arn, resource_version, is_apply=True)

    def restore_annotation(self, namespace: str, name: str, role_arn: str | None, resource_version: str) -> None:
        self._annotate(namespace, name, role_arn, resource_version, is_apply=False)

    def _annotate(self, namespace: str, name: str, role_arn: str | None, resource_version: str, *, is_apply: bool) -> None:
        """Set the annotation. An apply makes the remediator an owner, also of a value that is set already; a patch does not."""
        found = self.here.accounts.get((namespace, name))
        if found is None:
            raise NotFound(f"ServiceAccount {namespace}/{name}")
        if found.resource_version != resource_version:
            raise Conflict(f"ServiceAccount {namespace}/{name} is at {found.resource_version}, not at {resource_version}")
        is_owned = any(writer.manager == FIELD_MANAGER and writer.owns_annotation for writer in found.writers)
        if found.role_annotations.get(ROLE_ANNOTATION) != role_arn or (is_apply and not is_owned):
            self._world.set_annotation(self.here, (namespace, name), role_arn, FIELD_MANAGER)
            self._world.writes.append(f"annotate {namespace}/{name} {role_arn}")

    def restart(self, namespace: str, kind: WorkloadKind, name: str, restarted_at: str) -> None:
        key = (namespace, str(kind), name)
        if key not in self.here.workloads:
            raise NotFound(f"{kind} {namespace}/{name}")
        facts, account = self.here.workloads[key]
        if facts.restarted_at != restarted_at:
            generation = facts.generation + 1
            stamped = replace(facts, restarted_at=restarted_at, generation=generation, observed_generation=generation)
            self.here.workloads[key] = (stamped, account)
            self._world.writes.append(f"restart {namespace}/{name} {restarted_at}")
            if not self.here.pace and not facts.on_delete:
                self._world.roll_out(self.here, account, None)

    def delete_pod(self, namespace: str, name: str, uid: str) -> bool:
        found = self.here.pods.get(name)
        if found is None or found.facts.uid != uid:
            return False
        self._world.replace_pod(self.here, name)
        self._world.writes.append(f"delete pod {namespace}/{name}")
        return True


@injects_faults(ClustersPort, "clusters")
class FakeClusters:
    """Logs in to the clusters of the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def login(self, facts: ClusterFacts) -> FakeCluster:
        return FakeCluster(self._world, self._world.clusters.get(facts.name) or InCluster(facts))  # deleted since it was described
