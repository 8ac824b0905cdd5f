"""An EKS cluster in memory: the state that the fakes read and change, with the effects of the real systems."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from lambdas.contract.names import FIELD_MANAGER, POD_IDENTITY_AGENT_ADDON, ROLE_ANNOTATION
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Association,
    ClusterFacts,
    ComputeType,
    ControllerError,
    FieldWriter,
    InstalledPolicy,
    NodeFacts,
    OidcProvider,
    PluginError,
    PodFacts,
    RoleFacts,
    ServiceAccountFacts,
    SupportDates,
    VersionAdvice,
    WorkloadFacts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambdas.domain.snapshot.bindings import Parameter
    from lambdas.domain.snapshot.simulation import Simulation

ACCOUNT, REGION, PARTITION = "111122223333", "eu-west-1", "aws"
NAMESPACE, NAME = "kube-system", "aws-node"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CNI_NOT_READY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)

Json = dict[str, Any]


def role_arn(name: str) -> str:
    return f"arn:{PARTITION}:iam::{ACCOUNT}:role/{name}"


def a_node(number: int, *, ready: bool, since: datetime) -> NodeFacts:
    """A node that joined then, and is Ready since, or waits for its CNI."""
    return NodeFacts(
        name=f"ip-10-0-0-{number}.{REGION}.compute.internal",
        ready=ready,
        reason="KubeletReady" if ready else "KubeletNotReady",
        message="kubelet is ready" if ready else CNI_NOT_READY,
        since=since,
        created_at=since,
        nodegroup="blue",
    )


@dataclass
class CallFault:
    """The next `times` calls of a method (`eks.addon`) raise `error`; None: every one. `after`: only once the effect was had."""

    method: str
    error: Exception
    times: int | None = 1
    after: bool = False


@dataclass
class Update:
    """An update of an add-on: after `reads_left` more reads of the record it is as in `becomes`, and the annotation as in `annotates`."""

    becomes: AddonFacts
    reads_left: int = 1
    annotates: bool = False


@dataclass
class Pod:
    """A pod with the state that the facts omit. `revision` is the template's generation at its admission."""

    facts: PodFacts
    service_account: tuple[str, str]
    revision: int = 1


@dataclass
class Webhook:
    """The identity webhook. It knows annotations `lag` late, and misses the next `misses` pods, or all if not registered."""

    lag: timedelta = timedelta()
    misses: int = 0
    is_registered: bool = True


@dataclass
class InCluster:
    """One cluster: its objects and its behavior.

    The Pod Identity agent has a pod on each Linux node once its add-on is installed, except on `without_agent`. On `unready_agents` the
    pod is not ready.

    `pace` is the number of pods that a rollout replaces between two reads, 0 for all at once. `working_roles` are those with which a pod
    starts, None for any; `falls_back`: a pod without a role works on the node's. With `successors_crash` no replaced pod starts.
    """

    facts: ClusterFacts
    addons: dict[str, AddonFacts] = field(default_factory=dict)
    updates: dict[str, Update] = field(default_factory=dict)
    associations: dict[tuple[str, str], tuple[Association, ...]] = field(default_factory=dict)
    accounts: dict[tuple[str, str], ServiceAccountFacts] = field(default_factory=dict)
    workloads: dict[tuple[str, str, str], tuple[WorkloadFacts, tuple[str, str]]] = field(default_factory=dict)
    replica_sets: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    nodes: dict[str, NodeFacts] = field(default_factory=dict)
    errors: list[PluginError] = field(default_factory=list)
    controller_errors: list[ControllerError] = field(default_factory=list)
    repaired_nodegroups: tuple[str, ...] = ()
    webhook: Webhook = field(default_factory=Webhook)
    guards: dict[tuple[str, str], tuple[InstalledPolicy, ...]] = field(default_factory=dict)
    pace: int = 0
    update_reads: int = 1
    working_roles: frozenset[str] | None = None
    falls_back: bool = False
    successors_crash: bool = False
    without_agent: set[str] = field(default_factory=set)
    unready_agents: set[str] = field(default_factory=set)
    former_annotations: dict[tuple[str, str], tuple[datetime, Mapping[str, str]]] = field(default_factory=dict)

    @property
    def annotations(self) -> dict[str, str]:
        """`namespace/name -> role` of every annotated ServiceAccount, for assertions."""
        found = {f"{ns}/{name}": item.role_annotations.get(ROLE_ANNOTATION) for (ns, name), item in self.accounts.items()}
        return {name: role for name, role in found.items() if role is not None}

    def is_lost(self, node: str) -> bool:
        """Whether the control plane has lost touch with the node."""
        return node in self.nodes and self.nodes[node].ready is None

    @property
    def agent_nodes(self) -> list[str]:
        """The nodes with a pod of the Pod Identity agent."""
        if POD_IDENTITY_AGENT_ADDON not in self.addons:
            return []
        return [node.name for node in self.nodes.values() if node.os == "linux" and node.name not in self.without_agent]

    def has_agent(self, node: str) -> bool:
        """Whether an agent answers on the node."""
        is_built_in = node in self.nodes and self.nodes[node].compute_type == ComputeType.AUTO
        return is_built_in or (node in self.agent_nodes and node not in self.unready_agents)

    @property
    def pod_roles(self) -> list[str | None]:
        return [pod.facts.role_arn for pod in self.pods.values()]


@dataclass
class World:
    """Everything outside. `writes` names each change that our code made, in order."""

    now: datetime = NOON
    parameters: dict[str, Parameter] = field(default_factory=dict)
    clusters: dict[str, InCluster] = field(default_factory=dict)
    roles: dict[str, RoleFacts] = field(default_factory=dict)
    providers: dict[str, OidcProvider] = field(default_factory=dict)
    simulated: dict[str, Simulation] = field(default_factory=dict)
    advised_versions: dict[tuple[str, str], VersionAdvice] = field(default_factory=dict)
    supported: dict[str, SupportDates] = field(default_factory=dict)
    call_faults: list[CallFault] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1000))

    def clock(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)

    def fail(self, method: str, error: Exception, *, times: int | None = 1, after: bool = False) -> None:
        """Let the next calls of `port.method` raise; see `CallFault`."""
        self.call_faults.append(CallFault(method, error, times, after))

    def raise_fault(self, method: str, *, after: bool = False) -> None:
        """Raise the next fault of this method, and count it down."""
        if not after:
            self.reads.append(method)
        for fault in self.call_faults:
            if fault.method == method and fault.after is after and fault.times != 0:
                fault.times = None if fault.times is None else fault.times - 1
                raise fault.error

    def number(self) -> str:
        return str(next(self.numbers))

    # --- the cluster's own behaviour

    def set_annotation(self, cluster: InCluster, key: tuple[str, str], role: str | None, manager: str) -> None:
        """The key is set (None: removed) by someone; the version moves, and the webhook learns of it later.

        Field managers own existing fields: a removal leaves no trace of its author.
        Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
        """
        old = cluster.accounts[key]
        annotations = {**old.role_annotations, ROLE_ANNOTATION: role} if role is not None else dict(old.role_annotations)
        if role is None:
            annotations.pop(ROLE_ANNOTATION, None)
        kept = tuple(replace(writer, owns_annotation=False) for writer in old.writers if role is None or writer.manager != manager)
        wrote = () if role is None else (FieldWriter(manager=manager, at=self.now, owns_annotation=True),)
        cluster.former_annotations[key] = (self.now, old.role_annotations)
        cluster.accounts[key] = replace(
            old,
            role_annotations={name: value for name, value in annotations.items() if value is not None},
            resource_version=self.number(),
            writers=(*kept, *wrote),
        )

    def replace_pod(self, cluster: InCluster, name: str) -> None:
        """The controller's successor of a deleted pod: a new name and UID, the same node, and what the webhook injects now.

        A pod on a lost node stays terminating.
        """
        if cluster.is_lost(cluster.pods[name].facts.node):
            cluster.pods[name].facts = replace(cluster.pods[name].facts, deleting=True)
            return
        old = cluster.pods.pop(name)
        revision = max((facts.generation for facts, _ in self.workloads_of(cluster, old.service_account)), default=1)
        role, association = self._injected(cluster, old.service_account)
        crashes = cluster.successors_crash or not _starts(cluster, old.facts.node, role, association=association)
        number = self.number()
        facts = replace(
            old.facts,
            name=f"{NAME}-{number}",
            uid=f"uid-{number}",
            created_at=self.now,
            role_arn=role,
            container_credentials=association,
            ready=not crashes,
            waiting="CrashLoopBackOff" if crashes else "",
            termination_message="",
            deleting=False,
        )
        cluster.pods[facts.name] = Pod(facts, old.service_account, revision)
        if not crashes:
            self._end_wait(cluster, old.facts.node)

    def recover_pod(self, cluster: InCluster, name: str) -> None:
        """The restarted containers of a pod work, and the pod is ready."""
        pod = cluster.pods[name]
        pod.facts = replace(pod.facts, ready=True, waiting="")
        self._end_wait(cluster, pod.facts.node)

    def _end_wait(self, cluster: InCluster, name: str) -> None:
        """A node that waited for its network is Ready."""
        node = cluster.nodes.get(name)
        if node and node.message == CNI_NOT_READY:
            cluster.nodes[name] = replace(node, ready=True, reason="KubeletReady", message="kubelet is ready", since=self.now)

    def agent_pod(self, cluster: InCluster, node: str) -> PodFacts:
        """The agent's pod on a node."""
        return PodFacts(
            name=f"{POD_IDENTITY_AGENT_ADDON}-{node}",
            uid=f"agent-{node}",
            node=node,
            created_at=NOON - timedelta(days=1),
            role_arn=None,
            container_credentials=False,
            ready=cluster.has_agent(node),
        )

    def _injected(self, cluster: InCluster, key: tuple[str, str]) -> tuple[str | None, bool]:
        """The role, and whether container credentials are injected. An association precedes an annotation."""
        if not cluster.webhook.is_registered:
            return None, False
        if cluster.webhook.misses > 0:
            cluster.webhook.misses -= 1
            return None, False
        if cluster.associations.get(key):
            return None, True
        changed_at, former = cluster.former_annotations.get(key, (None, {}))
        known = former if changed_at and self.now - changed_at < cluster.webhook.lag else cluster.accounts[key].role_annotations
        return known.get(ROLE_ANNOTATION) or None, False

    def workloads_of(self, cluster: InCluster, key: tuple[str, str]) -> list[tuple[WorkloadFacts, tuple[str, str]]]:
        return [workload for workload in cluster.workloads.values() if workload[1] == key]

    def roll_out(self, cluster: InCluster, key: tuple[str, str], most: int | None) -> None:
        """Replace pods of an older template, oldest first, at most so many. Those of lost nodes come first, and are then missing."""
        latest = max((facts.generation for facts, _ in self.workloads_of(cluster, key)), default=1)
        theirs = [item for item in cluster.pods.values() if item.service_account == key]
        behind = sorted((their for their in theirs if their.revision < latest), key=lambda item: (item.facts.created_at, item.facts.name))
        lost = [their for their in theirs if cluster.is_lost(their.facts.node)]
        for pod in (item for item in lost if item in behind):
            self.replace_pod(cluster, pod.facts.name)
        room = None if most is None else max(0, most - len(lost))
        for pod in [item for item in behind if item not in lost][:room]:
            self.replace_pod(cluster, pod.facts.name)

    def lose_node(self, cluster: InCluster, name: str) -> None:
        """The node's kubelet falls silent, and the control plane has noticed: its pods count as not ready."""
        words = "Kubelet stopped posting node status."
        cluster.nodes[name] = replace(cluster.nodes[name], ready=None, reason="NodeStatusUnknown", message=words, since=self.now)
        for pod in cluster.pods.values():
            if pod.facts.node == name:
                pod.facts = replace(pod.facts, ready=False)

    def advance_update(self, cluster: InCluster, addon: str) -> None:
        """One read of a record that is being updated."""
        update = cluster.updates.get(addon)
        if update is None:
            return
        if update.reads_left > 0:
            update.reads_left -= 1
            return
        cluster.addons[addon] = replace(update.becomes, modified_at=self.now)
        del cluster.updates[addon]
        if update.annotates and (NAMESPACE, NAME) in cluster.accounts:
            self._apply_record(cluster, (NAMESPACE, NAME), update.becomes.role_arn)

    def _apply_record(self, cluster: InCluster, key: tuple[str, str], role: str | None) -> None:
        """The add-on manager applies its manifest. An annotation that the remediator owns stays when the manifest has none.

        Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
        """
        owners = {writer.manager for writer in cluster.accounts[key].writers if writer.owns_annotation}
        if role is not None or FIELD_MANAGER not in owners:
            self.set_annotation(cluster, key, role, "eks")


def _starts(cluster: InCluster, node: str, role: str | None, *, association: bool) -> bool:
    if association:
        return cluster.has_agent(node)
    if role is None:
        return cluster.falls_back
    return cluster.working_roles is None or role in cluster.working_roles
