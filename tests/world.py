"""A small EKS in memory: what the fakes read and change, with the effects that the real systems have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from lambdas.contract.names import ROLE_ANNOTATION, STS_AUDIENCE
from lambdas.contract.parameters import binding_path
from lambdas.contract.settings import settings_path
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.observation import (
    AddonFacts,
    Association,
    ClusterFacts,
    FieldWriter,
    HealthIssue,
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
from lambdas.domain.ports import Parameter

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


@dataclass
class Trouble:
    """The next `times` calls of a method (`eks.addon`) raise `error`; None: every one. `after`: only once the effect was had."""

    method: str
    error: Exception
    times: int | None = 1
    after: bool = False


@dataclass
class Update:
    """An update of an add-on: after `looks` more looks at the record it is as in `becomes`, and the annotation as in `annotates`."""

    becomes: AddonFacts
    looks: int = 1
    annotates: bool = False


@dataclass
class Pod:
    """A pod with what the facts leave out. `revision` is the template's generation at its admission."""

    facts: PodFacts
    service_account: tuple[str, str]
    revision: int = 1


@dataclass
class Webhook:
    """The identity webhook. It knows annotations `lag` late, and misses the next `misses` pods altogether."""

    lag: timedelta = timedelta()
    misses: int = 0


@dataclass
class InCluster:
    """One cluster: its objects, and how it behaves.

    `pace` is how many pods a roll-out replaces between two looks, 0 for all at once. `working_roles` are those with which a pod starts,
    None for any; `falls_back`: a pod without a role works on the node's. With `successors_crash` no replaced pod starts.
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
    repaired_nodegroups: tuple[str, ...] = ()
    webhook: Webhook = field(default_factory=Webhook)
    pace: int = 0
    update_looks: int = 1
    working_roles: frozenset[str] | None = None
    falls_back: bool = False
    successors_crash: bool = False
    former_annotations: dict[tuple[str, str], tuple[datetime, Mapping[str, str]]] = field(default_factory=dict)

    @property
    def annotations(self) -> dict[str, str]:
        """`namespace/name -> role` of every annotated ServiceAccount: what a test asks for."""
        found = {f"{ns}/{name}": it.role_annotations.get(ROLE_ANNOTATION) for (ns, name), it in self.accounts.items()}
        return {name: role for name, role in found.items() if role is not None}

    def is_lost(self, node: str) -> bool:
        """Whether the control plane has lost touch with the node."""
        return node in self.nodes and self.nodes[node].ready is None

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
    simulated: dict[str, dict[str, str]] = field(default_factory=dict)
    advised_versions: dict[tuple[str, str], VersionAdvice] = field(default_factory=dict)
    supported: dict[str, SupportDates] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    numbers: count[int] = field(default_factory=lambda: count(1000))

    def clock(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)

    def fail(self, method: str, error: Exception, *, times: int | None = 1, after: bool = False) -> None:
        """Let the next calls of `port.method` raise; see `Trouble`."""
        self.troubles.append(Trouble(method, error, times, after))

    def meet(self, method: str, *, after: bool = False) -> None:
        """Raise what was arranged for this method, counted down."""
        if not after:
            self.reads.append(method)
        for trouble in self.troubles:
            if trouble.method == method and trouble.after is after and trouble.times != 0:
                trouble.times = None if trouble.times is None else trouble.times - 1
                raise trouble.error

    def number(self) -> str:
        return str(next(self.numbers))

    # --- the cluster's own behaviour

    def set_annotation(self, cluster: InCluster, key: tuple[str, str], role: str | None, manager: str) -> None:
        """The key is set (None: removed) by someone; the version moves, and the webhook learns of it later."""
        old = cluster.accounts[key]
        annotations = {**old.role_annotations, ROLE_ANNOTATION: role} if role else dict(old.role_annotations)
        if not role:
            annotations.pop(ROLE_ANNOTATION, None)
        kept = tuple(replace(it, owns_annotation=False) for it in old.writers if it.manager != manager and not it.owns_annotation)
        wrote = FieldWriter(manager=manager, operation="Update", at=self.now, owns_annotation=role is not None)
        cluster.former_annotations[key] = (self.now, old.role_annotations)
        cluster.accounts[key] = replace(
            old,
            role_annotations={name: value for name, value in annotations.items() if value is not None},
            resource_version=self.number(),
            writers=(*kept, wrote),
        )

    def replace_pod(self, cluster: InCluster, name: str) -> None:
        """The controller's successor of a deleted pod: a new name and UID, the same node, and what the webhook injects now.

        Nobody ends a pod on a lost node: it stays on its way out.
        """
        if cluster.is_lost(cluster.pods[name].facts.node):
            cluster.pods[name].facts = replace(cluster.pods[name].facts, deleting=True)
            return
        old = cluster.pods.pop(name)
        revision = max((facts.generation for facts, _ in self.workloads_of(cluster, old.service_account)), default=1)
        role, association = self._injected(cluster, old.service_account)
        crashes = cluster.successors_crash or not _starts(cluster, role, association=association)
        number = self.number()
        facts = replace(
            old.facts,
            name=f"{NAME}-{number}",
            uid=f"uid-{number}",
            created_at=self.now,
            role_arn=role,
            container_credentials=association,
            ready=not crashes,
            restarts=1 if crashes else 0,
            waiting="CrashLoopBackOff" if crashes else "",
            last_words="",
            deleting=False,
        )
        cluster.pods[facts.name] = Pod(facts, old.service_account, revision)
        if not crashes and old.facts.node in cluster.nodes:
            node = cluster.nodes[old.facts.node]
            if node.message == CNI_NOT_READY:
                cluster.nodes[node.name] = replace(node, ready=True, reason="KubeletReady", message="kubelet is ready", since=self.now)

    def _injected(self, cluster: InCluster, key: tuple[str, str]) -> tuple[str | None, bool]:
        """Role and whether container credentials are injected: an association comes before an annotation."""
        if cluster.associations.get(key):
            return None, True
        if cluster.webhook.misses > 0:
            cluster.webhook.misses -= 1
            return None, False
        changed_at, former = cluster.former_annotations.get(key, (None, {}))
        known = former if changed_at and self.now - changed_at < cluster.webhook.lag else cluster.accounts[key].role_annotations
        return known.get(ROLE_ANNOTATION), False

    def workloads_of(self, cluster: InCluster, key: tuple[str, str]) -> list[tuple[WorkloadFacts, tuple[str, str]]]:
        return [it for it in cluster.workloads.values() if it[1] == key]

    def roll_out(self, cluster: InCluster, key: tuple[str, str], most: int | None) -> None:
        """Replace pods of an older template, oldest first, at most so many. Those of lost nodes come first, and are then missing."""
        latest = max((facts.generation for facts, _ in self.workloads_of(cluster, key)), default=1)
        theirs = [it for it in cluster.pods.values() if it.service_account == key]
        behind = sorted((it for it in theirs if it.revision < latest), key=lambda it: (it.facts.created_at, it.facts.name))
        lost = [it for it in theirs if cluster.is_lost(it.facts.node)]
        for pod in (it for it in lost if it in behind):
            self.replace_pod(cluster, pod.facts.name)
        room = None if most is None else max(0, most - len(lost))
        for pod in [it for it in behind if it not in lost][:room]:
            self.replace_pod(cluster, pod.facts.name)

    def lose_node(self, cluster: InCluster, name: str) -> None:
        """The node's kubelet falls silent, and the control plane has noticed: its pods count as not ready."""
        words = "Kubelet stopped posting node status."
        cluster.nodes[name] = replace(cluster.nodes[name], ready=None, reason="NodeStatusUnknown", message=words, since=self.now)
        for pod in cluster.pods.values():
            if pod.facts.node == name:
                pod.facts = replace(pod.facts, ready=False)

    def advance_update(self, cluster: InCluster, addon: str) -> None:
        """One look at a record that is being updated."""
        update = cluster.updates.get(addon)
        if update is None:
            return
        if update.looks > 0:
            update.looks -= 1
            return
        cluster.addons[addon] = replace(update.becomes, modified_at=self.now)
        del cluster.updates[addon]
        if update.annotates and (NAMESPACE, NAME) in cluster.accounts:
            self.set_annotation(cluster, (NAMESPACE, NAME), update.becomes.role_arn, "eks")


def _starts(cluster: InCluster, role: str | None, *, association: bool) -> bool:
    if association:
        return True
    if role is None:
        return cluster.falls_back
    return cluster.working_roles is None or role in cluster.working_roles


# --- worlds from a description -----------------------------------------------------------------------------------------------------------


def described(description: Mapping[str, Any] | None = None) -> World:
    """A healthy world with what the description changes in it. All keys are optional; None means that it does not exist.

    cluster: fields of ClusterFacts, beside `nodes` (a number), `not_ready` (how many of them wait for the CNI), `pace`, `update_looks`,
        `falls_back`, `successors_crash`, `webhook_lag_s`, `webhook_misses`, `repaired_nodegroups`
    binding: the parameter's text · settings: name -> text · annotation: text under the right key · annotations: key -> text
    role: `{trust: policy document}` · oidc_provider: `{client_ids: [...]}` · associations: role ARNs
    addon: fields of AddonFacts · workload: fields of WorkloadFacts · pods: `{role: text, stale: number, stale_role: text}`
    errors: calls that every pod without a role reports · simulated: call -> decision
    """
    told = dict(description or {})
    name = (told.get("cluster") or {}).get("name", "demo")
    bound = role_arn(f"{name}-vpc-cni")
    world = World()
    cluster = world.clusters[name] = _cluster(name, told.get("cluster") or {})
    _say_what_should_be(world, name, told, bound)
    _grant(world, cluster, told, bound)
    _install(world, cluster, told, bound)
    return world


_BEHAVIOUR = ("pace", "update_looks", "falls_back", "successors_crash", "repaired_nodegroups", "working_roles")
_OWN_KEYS = {*_BEHAVIOUR, "nodes", "not_ready", "webhook_lag_s", "webhook_misses"}


def _cluster(name: str, told: Json) -> InCluster:
    facts = ClusterFacts(
        **{
            "name": name,
            "arn": f"arn:{PARTITION}:eks:{REGION}:{ACCOUNT}:cluster/{name}",
            "version": "1.28",
            "status": "ACTIVE",
            "endpoint": f"https://{name}.gr7.{REGION}.eks.amazonaws.com",
            "certificate_authority": "Q0E=",
            "issuer": f"https://oidc.eks.{REGION}.amazonaws.com/id/77D0",
            "created_at": NOON - timedelta(days=100),
            **{key: value for key, value in told.items() if key not in _OWN_KEYS},
        }
    )
    cluster = InCluster(facts, **{key: told[key] for key in _BEHAVIOUR if key in told})
    cluster.webhook = Webhook(timedelta(seconds=told.get("webhook_lag_s", 0)), told.get("webhook_misses", 0))
    total, sick = told.get("nodes", 12), told.get("not_ready", 0)
    cluster.nodes = {node.name: node for node in (_node(number, ready=number < total - sick) for number in range(total))}
    return cluster


def _node(number: int, *, ready: bool) -> NodeFacts:
    return NodeFacts(
        name=f"ip-10-0-0-{number}.{REGION}.compute.internal",
        ready=ready,
        reason="KubeletReady" if ready else "KubeletNotReady",
        message="kubelet is ready" if ready else CNI_NOT_READY,
        since=NOON - (timedelta(days=10) if ready else timedelta(minutes=5)),
        created_at=NOON - (timedelta(days=10) if ready else timedelta(minutes=6)),
        instance_id=f"i-{number:017x}",
        nodegroup="blue",
    )


def _say_what_should_be(world: World, name: str, told: Json, bound: str) -> None:
    at = NOON - timedelta(days=30)
    if (text := told.get("binding", bound)) is not None:
        world.parameters[binding_path(name, NAMESPACE, NAME)] = Parameter(value=text, changed_at=at)
    for setting, text in (told.get("settings") or {}).items():
        world.parameters[settings_path(name, setting)] = Parameter(value=str(text), changed_at=at)


def right_trust(issuer: str) -> Json:
    """The trust policy that lets aws-node of the cluster with this issuer in."""
    host = issuer.removeprefix("https://")
    federated = f"arn:{PARTITION}:iam::{ACCOUNT}:oidc-provider/{host}"
    claims = {f"{host}:aud": STS_AUDIENCE, f"{host}:sub": f"system:serviceaccount:{NAMESPACE}:{NAME}"}
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": federated},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": claims},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _grant(world: World, cluster: InCluster, told: Json, bound: str) -> None:
    issuer = cluster.facts.issuer or ""
    if (role := told.get("role", {})) is not None:
        world.roles[bound] = RoleFacts(arn=bound, trust=role.get("trust") or right_trust(issuer))
    if (provider := told.get("oidc_provider", {})) is not None and issuer:
        arn = f"arn:{PARTITION}:iam::{ACCOUNT}:oidc-provider/{issuer.removeprefix('https://')}"
        world.providers[arn] = OidcProvider(arn=arn, client_ids=tuple(provider.get("client_ids", (STS_AUDIENCE,))))
    if told.get("simulated"):
        world.simulated[bound] = dict(told["simulated"])
    roles: Iterable[str] = told.get("associations") or ()
    cluster.associations[NAMESPACE, NAME] = tuple(Association(id=f"a-{index}", role_arn=it) for index, it in enumerate(roles))


def _install(world: World, cluster: InCluster, told: Json, bound: str) -> None:
    _addon(cluster, told.get("addon", {}), bound)
    workload = told.get("workload", {})
    if "service_account" not in told or told["service_account"] is not None:
        cluster.accounts[NAMESPACE, NAME] = _account(told, bound)
    if workload is None:
        return
    size = len(cluster.nodes)
    facts = WorkloadFacts(
        **{
            "kind": WorkloadKind.DAEMON_SET,
            "name": NAME,
            "desired": size,
            "ready": size,
            "updated": size,
            "max_unavailable": max(1, -(-size // 10)),
            "generation": 1,
            "observed_generation": 1,
            **workload,
        }
    )
    cluster.workloads[NAMESPACE, facts.kind, facts.name] = (facts, (NAMESPACE, NAME))
    _pods(world, cluster, told, bound)


def _addon(cluster: InCluster, told: Json | None, bound: str) -> None:
    if told is None:
        return
    issues = tuple(HealthIssue(**it) for it in told.get("issues", ()))
    fields = {"name": "vpc-cni", "version": "v1.15.1-eksbuild.1", "status": "ACTIVE", "role_arn": bound, **told, "issues": issues}
    record = AddonFacts(**fields)
    cluster.addons[record.name] = record
    if record.status == "UPDATING":
        cluster.updates[record.name] = Update(replace(record, status="ACTIVE"), looks=cluster.update_looks)


def _account(told: Json, bound: str) -> ServiceAccountFacts:
    annotation = told.get("annotation", bound)
    annotations = {**(told.get("annotations") or {}), **({ROLE_ANNOTATION: annotation} if annotation else {})}
    at = NOON - timedelta(days=20)
    writer = FieldWriter(manager="eks", operation="Apply", at=at, owns_annotation=bool(annotation))
    return ServiceAccountFacts(uid="sa-uid", resource_version="1", role_annotations=annotations, writers=(writer,))


def _pods(world: World, cluster: InCluster, told: Json, bound: str) -> None:
    pods = told.get("pods") or {}
    stale, role = pods.get("stale", 0), pods.get("role", bound)
    for index, node in enumerate(cluster.nodes.values()):
        theirs = pods.get("stale_role") if index >= len(cluster.nodes) - stale else role
        facts = PodFacts(
            name=f"{NAME}-{index}",
            uid=f"uid-{index}",
            node=node.name,
            created_at=NOON - (timedelta(days=9) if node.ready else timedelta(minutes=5)),
            role_arn=theirs,
            container_credentials=bool(cluster.associations[NAMESPACE, NAME]) and theirs is None,
            ready=bool(node.ready),
            restarts=0 if node.ready else 3,
            owner=("DaemonSet", NAME),
            waiting="" if node.ready else "CrashLoopBackOff",
        )
        cluster.pods[facts.name] = Pod(facts, (NAMESPACE, NAME))
        if theirs is None:
            cluster.errors += [PluginError(call=call, pod=facts.name, at=world.now) for call in told.get("errors") or ()]


Change = Callable[[World], None]
