"""The world of a simulation: rolling updates that stop as Kubernetes stops them, and what an observer from outside can tell."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from lambdas.contract.names import CNI_ADDON, POD_IDENTITY_AGENT_ADDON, ROLE_ANNOTATION
from lambdas.contract.parameters import Mechanism, binding_path
from lambdas.contract.settings import AddonRecord, Settings, read_settings
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import AddonFacts, Association, PodFacts, WorkloadFacts
from tests.simulation.scheduler import Scheduler
from tests.world import CNI_NOT_READY, NAME, NAMESPACE, NOON, REGION, InCluster, Pod, World, a_node, described, right_trust, role_arn
from tests.world.state import _starts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from typing import Any

KEY: Final = (NAMESPACE, NAME)
_web_identity_trust: Final = cache(right_trust)
_POD_IDENTITY_TRUST: Final[Mapping[str, object]] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "pods.eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}],
}
"""Source: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html"""


@dataclass(frozen=True)
class ClusterState:
    """What an observer from outside sees of one cluster. `is_right`: every link holds, and every reachable pod works with its role.

    `given_role` is that of the annotation, or of the association in a cluster with Pod Identity.
    `lets_in`: the role of the binding and the OIDC provider exist, and the trust policy lets the workload in.
    `fails`: a pod on a reachable node is not ready, or such a node is not Ready. `nodes_ready`: every node is Ready, and none is lost.
    `record_differs` is set as well where the record is left to its owner, which is no fault of the identity. `wrong` says what is wrong,
    each part as `part: details`, in the order of the links.
    """

    exists: bool = True
    is_right: bool = True
    binding: str | None = None
    given_role: str | None = None
    mode: str = "enforce"
    works: bool = True
    lets_in: bool = True
    fails: bool = False
    nodes_ready: bool = True
    record_differs: bool = False
    wrong: tuple[str, ...] = ()
    pod_roles: tuple[str, ...] = ()

    @property
    def why_wrong(self) -> str:
        """The first part that is wrong; empty where none is."""
        return next(iter(self.wrong), "")

    @property
    def wrong_parts(self) -> frozenset[str]:
        """What is wrong, without details."""
        return frozenset(text.partition(":")[0] for text in self.wrong)


@dataclass
class SimulatedWorld(World):
    """A world in virtual time.

    `states` holds each change of each cluster with its time. `harmed` are pods that are not ready, that our own hand has created, and
    whose predecessor was ready, with the incident that did it. `rolls_ours` are the clusters whose latest rollout an incident has started,
    with that incident. `replaces_ours` is the incident that replaces pods at this moment, empty where none does, and `read_as_unready` are
    the pods that it has read as not ready, which may have become ready since. `start_s` is how long a container of a cluster starts,
    `created_by` are the pods that each incident has created, as they were admitted, and on `spoiled` clusters no role works. The
    `associated` clusters have a binding to EKS Pod Identity.
    """

    scheduler: Scheduler = field(default_factory=Scheduler)
    states: dict[str, list[tuple[datetime, ClusterState]]] = field(default_factory=dict)
    binding_history: dict[str, list[tuple[datetime, str | None]]] = field(default_factory=dict)
    harmed: dict[str, dict[str, str]] = field(default_factory=dict)
    rolls_ours: dict[str, str] = field(default_factory=dict)
    replaces_ours: str = ""
    read_as_unready: frozenset[str] = frozenset()
    start_s: dict[str, float] = field(default_factory=dict)
    created_by: dict[str, list[PodFacts]] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)
    associated: set[str] = field(default_factory=set)
    _settings: dict[str, Settings] = field(default_factory=dict)

    def clock(self) -> datetime:
        return self.scheduler.now

    def sync(self) -> None:
        """Let the objects of the world carry the time of the scheduler."""
        self.now = self.scheduler.now

    def add_cluster(self, name: str, description: Mapping[str, Any]) -> None:
        """Add a cluster to the world."""
        told = {key: value for key, value in description.items() if key != "start_s"}
        one = described({**told, "cluster": {"name": name, "issuer": issuer(name), **description.get("cluster", {})}})
        self.clusters |= one.clusters
        self.parameters |= one.parameters
        self.roles |= one.roles
        self.providers |= one.providers
        if "associations" in told:
            self.associated.add(name)
            agent = AddonFacts(name=POD_IDENTITY_AGENT_ADDON, version="v1.3.0-eksbuild.1", status="ACTIVE", role_arn=None)
            self.clusters[name].addons[agent.name] = agent
            for role in one.roles.values():
                self.roles[role.arn] = replace(role, trust=self.right_trust(self.clusters[name]))
        self._settings.clear()
        self.start_s[name] = float(description.get("start_s", 0.0))
        self.harmed.setdefault(name, {})
        self.observe(name)

    # --- roles and bindings

    @staticmethod
    def good_roles(cluster: str) -> tuple[str, str]:
        """The roles with which the workload works."""
        return role_arn(f"{cluster}-vpc-cni"), role_arn(f"{cluster}-new")

    def bound_role(self, cluster: str) -> str | None:
        """The role of the binding, as the parameter has it now."""
        found = self.parameters.get(binding_path(cluster, *KEY))
        if found is None or cluster not in self.associated:
            return found.value if found else None
        return str(json.loads(found.value)["role"])

    def binding_value(self, cluster: str, role: str) -> str:
        """The value of a parameter that binds the workload of this cluster to a role."""
        return json.dumps({"role": role, "mechanism": Mechanism.POD_IDENTITY}) if cluster in self.associated else role

    def given_role(self, cluster: InCluster) -> str | None:
        """The role that new pods get: by the annotation, or by the association in a cluster with Pod Identity."""
        if cluster.facts.name in self.associated:
            return next((item.role_arn for item in cluster.associations.get(KEY, ())), None)
        account = cluster.accounts.get(KEY)
        return account.role_annotations.get(ROLE_ANNOTATION) if account else None

    def give_role(self, cluster: InCluster, role: str | None, manager: str) -> None:
        """Someone sets the annotation or the association; None removes it."""
        if cluster.facts.name not in self.associated:
            self.set_annotation(cluster, KEY, role, manager)
            return
        found = next(iter(cluster.associations.get(KEY, ())), None) or Association(id=f"a-by-{manager}-{self.number()}", role_arn="")
        cluster.associations[KEY] = () if role is None else (replace(found, role_arn=role, modified_at=self.now),)

    def pod_role(self, cluster: InCluster, pod: PodFacts) -> str | None:
        """The role of a pod. The agent gives it that of the association now."""
        if cluster.facts.name in self.associated:
            return self.given_role(cluster) if pod.container_credentials else None
        return pod.role_arn

    def was_admitted_with(self, cluster: str, pod: PodFacts, role: str | None) -> bool:
        """Whether a pod was admitted with this role, or with an association, which may give another role since."""
        return pod.container_credentials if cluster in self.associated else pod.role_arn == role

    def right_trust(self, cluster: InCluster) -> Mapping[str, object]:
        """The trust policy that lets the workload of this cluster in."""
        return _POD_IDENTITY_TRUST if cluster.facts.name in self.associated else _web_identity_trust(cluster.facts.issuer or "")

    def settings(self, cluster: str) -> Settings:
        """The settings of the cluster, as the parameters have them now."""
        if cluster not in self._settings:
            values = {path: parameter.value for path, parameter in self.parameters.items()}
            self._settings[cluster] = read_settings(values, cluster)[0]
        return self._settings[cluster]

    def set_parameter(self, path: str, value: str | None) -> None:
        """Write a parameter; None deletes it."""
        before = self.parameters.pop(path, None)
        if value is not None:
            version = before.version + 1 if before else 1
            self.parameters[path] = Parameter(value=value, version=version, changed_at=self.scheduler.now)
        self._settings.clear()

    def is_trusted(self, cluster: InCluster, role: str) -> bool:
        """Whether this role exists and lets the workload of the cluster in."""
        return role in self.roles and self.roles[role].trust == self.right_trust(cluster)

    def replaced_by_rollout(self, name: str) -> frozenset[str]:
        """The pods that a rollout in progress will replace by pods with the role: only where the annotation is right.

        It stops where `maxUnavailable` of its pods are on lost nodes.
        """
        cluster, bound = self.clusters.get(name), self.bound_role(name)
        if cluster is None or bound is None or self.given_role(cluster) != bound:
            return frozenset()
        changed_at = cluster.former_annotations.get(KEY, (NOON, {}))[0]
        if name in self.associated:
            changed_at = cluster.associations[KEY][0].modified_at or NOON
        found: set[str] = set()
        for workload, owner in cluster.workloads.values():
            theirs = [pod for pod in cluster.pods.values() if pod.service_account == owner]
            newest = min((pod.facts.created_at for pod in theirs if pod.revision >= workload.generation), default=self.scheduler.now)
            if workload.on_delete or sum(cluster.is_lost(pod.facts.node) for pod in theirs) >= workload.max_unavailable:
                continue
            behind = (pod.facts for pod in theirs if pod.revision < workload.generation)
            found |= {pod.name for pod in behind if pod.created_at < min(changed_at, newest) and not cluster.is_lost(pod.node)}
        return frozenset(found)

    # --- controllers

    def replace_pod(self, cluster: InCluster, name: str) -> None:
        """Replace a pod, and note whether our hand has made a ready pod one that is not."""
        before, known = cluster.pods[name].facts, set(cluster.pods)
        self.judge_roles(cluster)
        with self._serving(cluster):
            super().replace_pod(cluster, name)
        harmed = self.harmed[cluster.facts.name]
        was_ready = before.ready and name not in self.read_as_unready
        incident = harmed.pop(name, "") or (self.replaces_ours if was_ready else "")
        for pod in (cluster.pods[item] for item in list(cluster.pods) if item not in known):
            self._let_start(cluster, pod)
            if self.replaces_ours:
                self.created_by.setdefault(self.replaces_ours, []).append(pod.facts)
            if incident and not pod.facts.ready:
                harmed[pod.facts.name] = incident

    def _let_start(self, cluster: InCluster, pod: Pod) -> None:
        """A container that starts needs some time until it is ready."""
        seconds = self.start_s.get(cluster.facts.name, 0.0)
        if pod.facts.ready and seconds:
            pod.facts = replace(pod.facts, ready=False, waiting="ContainerCreating")
            self.scheduler.after(seconds, lambda: self._restart_containers(cluster))

    def judge_roles(self, cluster: InCluster) -> None:
        """Let the workload work with the good roles that exist and trust the cluster."""
        facts, name = cluster.facts, cluster.facts.name
        works = name not in self.spoiled and (name in self.associated or facts.provider_arn in self.providers)
        good = [role for role in self.good_roles(name) if works and self.is_trusted(cluster, role)]
        cluster.working_roles = frozenset(good)

    @contextmanager
    def _serving(self, cluster: InCluster) -> Iterator[None]:
        """Let the agents of a cluster give no credentials in this block, where the association's role does not work."""
        is_served = cluster.facts.name not in self.associated or self.given_role(cluster) in (cluster.working_roles or ())
        cluster.unready_agents = set() if is_served else set(cluster.nodes)
        yield
        cluster.unready_agents = set()

    def roll_out(self, cluster: InCluster, key: tuple[str, str], most: int | None) -> None:
        """Replace outdated pods that are not ready, then ready ones while fewer than `maxUnavailable` pods are unavailable.

        Source: https://github.com/kubernetes/kubernetes/blob/HEAD/pkg/controller/daemon/update.go (rollingUpdate)
        """
        self.replaces_ours = self.rolls_ours.get(cluster.facts.name, "")
        for workload, account in cluster.workloads.values():
            if account == key and not workload.on_delete:
                self._roll(cluster, workload, key, most)
        self.replaces_ours = ""

    def _roll(self, cluster: InCluster, workload: WorkloadFacts, key: tuple[str, str], most: int | None) -> None:
        theirs = [pod for pod in cluster.pods.values() if pod.service_account == key]
        behind = [pod for pod in theirs if pod.revision < workload.generation and not pod.facts.deleting]
        unready = [pod for pod in behind if not pod.facts.ready]
        for pod in unready[: most or len(unready)]:
            self.replace_pod(cluster, pod.facts.name)
        unavailable = sum(not pod.facts.ready for pod in cluster.pods.values() if pod.service_account == key)
        ready = sorted((pod for pod in behind if pod.facts.ready), key=lambda pod: (pod.facts.created_at, pod.facts.name))
        for pod in ready[: max(0, workload.max_unavailable - unavailable)]:
            self.replace_pod(cluster, pod.facts.name)

    def tick(self) -> None:
        """What the controllers of every cluster do in a while: advance add-on updates and rollouts, and restart crashed containers."""
        self.sync()
        for name, cluster in self.clusters.items():
            for addon in list(cluster.updates):
                self.advance_update(cluster, addon)
            self.roll_out(cluster, KEY, cluster.pace)
            self._restart_containers(cluster)
            self.observe(name)

    def _restart_containers(self, cluster: InCluster) -> None:
        self.judge_roles(cluster)
        with self._serving(cluster):
            self._restart_pods(cluster)

    def _restart_pods(self, cluster: InCluster) -> None:
        for pod in cluster.pods.values():
            facts = pod.facts
            starts = not cluster.successors_crash and _starts(cluster, facts.node, facts.role_arn, association=facts.container_credentials)
            is_starting = facts.waiting == "ContainerCreating" and (
                self.scheduler.now - facts.created_at
            ).total_seconds() < self.start_s.get(cluster.facts.name, 0.0)
            if not facts.ready and not is_starting and not facts.deleting and not cluster.is_lost(facts.node) and starts:
                pod.facts = replace(facts, ready=True, waiting="")
                self.harmed[cluster.facts.name].pop(facts.name, None)
                self._let_node_join(cluster, facts.node)
            elif facts.waiting == "ContainerCreating" and not is_starting:
                pod.facts = replace(facts, waiting="CrashLoopBackOff")

    def _let_node_join(self, cluster: InCluster, name: str) -> None:
        node = cluster.nodes.get(name)
        if node and node.message == CNI_NOT_READY:
            cluster.nodes[name] = replace(node, ready=True, reason="KubeletReady", message="kubelet is ready", since=self.now)

    def stamp_template(self, cluster: InCluster) -> None:
        """Another tool changes the pod template, so that every pod is outdated."""
        self.rolls_ours.pop(cluster.facts.name, None)
        for name, (facts, account) in cluster.workloads.items():
            generation = facts.generation + 1
            cluster.workloads[name] = (replace(facts, generation=generation, observed_generation=generation), account)

    def join_node(self, cluster: InCluster) -> None:
        """Add a node that waits for its network plug-in, whose pod is admitted at once."""
        made = a_node(int(self.number()), ready=False, since=self.now)
        cluster.nodes[made.name] = made
        for key, (facts, account) in cluster.workloads.items():
            cluster.workloads[key] = (replace(facts, desired=facts.desired + 1), account)
        blank = PodFacts(
            name=f"blank-{self.number()}",
            uid="blank",
            node=made.name,
            created_at=self.now,
            role_arn=None,
            container_credentials=False,
            ready=False,
            owner=("DaemonSet", NAME),
        )
        cluster.pods[blank.name] = Pod(blank, KEY)
        self.replace_pod(cluster, blank.name)

    def return_node(self, cluster: InCluster, name: str) -> None:
        """The kubelet of a lost node reports again: its terminating pods are replaced, the others run as before."""
        cluster.nodes[name] = (
            a_node(0, ready=True, since=self.now)
            if name not in cluster.nodes
            else replace(cluster.nodes[name], ready=True, reason="KubeletReady", message="kubelet is ready", since=self.now)
        )
        for pod in [item for item in cluster.pods.values() if item.facts.node == name]:
            if pod.facts.deleting:
                self.replace_pod(cluster, pod.facts.name)
        self._restart_containers(cluster)

    # --- observing

    def observe(self, name: str) -> None:
        """Note the state of a cluster, if it has changed."""
        known, state = self.states.setdefault(name, []), self.state_of(name)
        if not known or known[-1][1] != state:
            known.append((self.scheduler.now, state))
        bound, bindings = self.bound_role(name), self.binding_history.setdefault(name, [])
        if not bindings or bindings[-1][1] != bound:
            bindings.append((self.scheduler.now, bound))

    def states_since(self, name: str, since: datetime) -> list[ClusterState]:
        """Every state of a cluster in the time since then, the one at that time included."""
        known = self.states.get(name, [])
        return [state for number, (_, state) in enumerate(known) if number + 1 == len(known) or known[number + 1][0] >= since]

    def state_of(self, name: str) -> ClusterState:
        """The present state of a cluster, told without the code of the product."""
        cluster, mode = self.clusters.get(name), str(self.settings(name).mode)
        bound = self.bound_role(name)
        if cluster is None:
            return ClusterState(exists=False, is_right=False, binding=bound, mode=mode, works=False, wrong=("the cluster is gone",))
        given = self.given_role(cluster)
        lost = {node.name for node in cluster.nodes.values() if node.ready is None}
        pods = [pod.facts for pod in cluster.pods.values() if pod.facts.node not in lost]
        wrong = self._wrong(cluster, pods, bound, given)
        works = all(pod.ready for pod in pods)
        record = cluster.addons.get(CNI_ADDON)
        return ClusterState(
            is_right=not wrong,
            binding=bound,
            given_role=given,
            mode=mode,
            works=works,
            lets_in=bound is not None and self.is_trusted(cluster, bound) and self._has_provider(cluster),
            fails=not works or any(node.ready is False for node in cluster.nodes.values()),
            nodes_ready=all(node.ready for node in cluster.nodes.values()),
            record_differs=name not in self.associated and record is not None and record.role_arn != bound,
            wrong=wrong,
            pod_roles=tuple(sorted((self.pod_role(cluster, pod) or "").rpartition("/")[2] for pod in pods)),
        )

    def _has_provider(self, cluster: InCluster) -> bool:
        """Whether the OIDC provider exists, which Pod Identity does not need."""
        return cluster.facts.name in self.associated or cluster.facts.provider_arn in self.providers

    def _wrong(self, cluster: InCluster, pods: list[PodFacts], bound: str | None, given: str | None) -> tuple[str, ...]:
        """The links that are wrong, in their order.

        Without a binding, the parts are only compared with the record, or with the association.
        """
        name, record = cluster.facts.name, cluster.addons.get(CNI_ADDON)
        wanted = bound or (given if name in self.associated else record.role_arn if record else None)
        failing = [pod.name for pod in pods if not pod.ready and pod.waiting != "ContainerCreating"]
        starting = [pod.name for pod in pods if not pod.ready]
        symptoms = (
            f"pods that are not ready: {failing}" if failing else "",
            f"pods that start: {starting}" if starting else "",
        )
        orphaned = [pod.name for pod in pods if pod.container_credentials and not given]
        if wanted is None:  # nothing says which role the workload should have
            return tuple(filter(None, (*symptoms, f"pods whose association is gone: {orphaned}" if orphaned else "")))
        without = [pod.name for pod in pods if self.pod_role(cluster, pod) != wanted]
        is_trusted = self.is_trusted(cluster, wanted)
        has_record = name not in self.associated and self.settings(name).addon_record is not AddonRecord.NOTIFY_ONLY
        links = (
            f"the annotation or the association gives another role: {given}" if given != wanted else "",
            f"pods without the role: {without}" if without else "",
            *symptoms,
            "" if is_trusted else "the role does not let the workload in",
            "" if self._has_provider(cluster) else "there is no OIDC provider",
            f"the add-on record has another role: {record.role_arn}" if record and record.role_arn != wanted and has_record else "",
        )
        return tuple(filter(None, links))


def issuer(cluster: str) -> str:
    """The OIDC issuer of a cluster."""
    return f"https://oidc.eks.{REGION}.amazonaws.com/id/{cluster.upper()}"
