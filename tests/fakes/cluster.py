"""The Kubernetes API, and the way in."""

from __future__ import annotations

from dataclasses import replace

from lambdas.contract.names import FIELD_MANAGER, ROLE_ANNOTATION
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.errors import Conflict, NotFound
from lambdas.domain.observation import (
    ClusterFacts,
    Missing,
    NodeFacts,
    PluginError,
    PodFacts,
    ServiceAccountFacts,
    WorkloadFacts,
)
from tests.world import NAMESPACE, InCluster, World


class FakeCluster:
    """The Kubernetes API of one cluster; `here` is its state."""

    def __init__(self, world: World, here: InCluster) -> None:
        self._world = world
        self.here = here

    def service_account(self, namespace: str, name: str) -> ServiceAccountFacts | Missing:
        self._world.meet("cluster.service_account")
        return self.here.accounts.get((namespace, name)) or Missing(f"ServiceAccount {namespace}/{name}")

    def workload(self, namespace: str, kind: WorkloadKind, name: str) -> WorkloadFacts | Missing:
        self._world.meet("cluster.workload")
        if (namespace, kind, name) not in self.here.workloads:
            return Missing(f"{kind} {namespace}/{name}")
        facts, account = self.here.workloads[namespace, kind, name]
        pods = [it for it in self.here.pods.values() if it.service_account == account]
        updated = sum(it.revision >= facts.generation for it in pods)
        ready = sum(it.facts.ready for it in pods)
        return replace(facts, updated=updated, ready=ready) if pods else facts

    def owner(self, namespace: str, kind: str, name: str) -> tuple[WorkloadKind, str] | None:
        self._world.meet("cluster.owner")
        if kind == "ReplicaSet":
            kind, name = self.here.replica_sets.get((namespace, name), ("", ""))
        return (WorkloadKind(kind), name) if kind in tuple(WorkloadKind) else None

    def pods(self, namespace: str, service_account: str) -> tuple[PodFacts, ...]:
        self._world.meet("cluster.pods")
        key = (namespace, service_account)
        if self.here.pace:
            self._world.roll_out(self.here, key, self.here.pace)
        return tuple(it.facts for it in self.here.pods.values() if it.service_account == key)

    def nodes(self) -> tuple[NodeFacts, ...]:
        self._world.meet("cluster.nodes")
        return tuple(self.here.nodes.values())

    def plugin_errors(self, namespace: str) -> tuple[PluginError, ...]:
        self._world.meet("cluster.plugin_errors")
        found = self.here.errors if namespace == NAMESPACE else []
        return tuple(sorted(found, key=lambda it: it.at, reverse=True))

    def annotate(self, namespace: str, name: str, role_arn: str | None, resource_version: str) -> None:
        self._world.meet("cluster.annotate")
        found = self.here.accounts.get((namespace, name))
        if found is None:
            raise NotFound(f"ServiceAccount {namespace}/{name}")
        if found.resource_version != resource_version:
            raise Conflict(f"ServiceAccount {namespace}/{name} is at {found.resource_version}, not at {resource_version}")
        if found.role_annotations.get(ROLE_ANNOTATION) != role_arn:
            self._world.set_annotation(self.here, (namespace, name), role_arn, FIELD_MANAGER)
            self._world.writes.append(f"annotate {namespace}/{name} {role_arn}")
        self._world.meet("cluster.annotate", after=True)

    def restart(self, namespace: str, kind: WorkloadKind, name: str, restarted_at: str) -> None:
        self._world.meet("cluster.restart")
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
        self._world.meet("cluster.restart", after=True)

    def delete_pod(self, namespace: str, name: str, uid: str) -> bool:
        self._world.meet("cluster.delete_pod")
        found = self.here.pods.get(name)
        if found is None or found.facts.uid != uid:
            return False
        self._world.replace_pod(self.here, name)
        self._world.writes.append(f"delete pod {namespace}/{name}")
        self._world.meet("cluster.delete_pod", after=True)
        return True


class FakeClusters:
    """Logs in to the clusters of the world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def login(self, facts: ClusterFacts) -> FakeCluster:
        self._world.meet("clusters.login")
        return FakeCluster(self._world, self._world.clusters[facts.name])
