"""The world of a scenario over the fakes. As in the sandbox, plug-ins report refused calls, and add-on updates roll pods."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from lambdas.contract.call_needs import AddonNeeds, Effect, EventDelivery
from lambdas.contract.names import ANY_CLUSTER, CNI_ADDON, POD_IDENTITY_AGENT_ADDON
from lambdas.contract.parameters import binding_path
from lambdas.contract.settings import settings_path
from lambdas.contract.workloads import ANY_IMPACT, AWS_NODE, KnownWorkload, WorkloadKind, known
from lambdas.domain.errors import AccessDenied, Denial
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import (
    AddonFacts,
    Association,
    ClusterFacts,
    ComputeType,
    ContainerFacts,
    FieldWriter,
    OidcProvider,
    PluginError,
    PodFacts,
    RoleFacts,
    ServiceAccountFacts,
    WorkloadFacts,
)
from sandbox.simulation import scenario as scenarios
from sandbox.simulation.seed_data import STACK
from sandbox.simulation.trust_policies import trust_policy
from tests.world import ACCOUNT, NOON, PARTITION, REGION, InCluster, Pod, World, a_node, role_arn
from tests.world.simulations import REFUSED

if TYPE_CHECKING:
    from collections.abc import Mapping

CLUSTER, NAMESPACE = "demo", "kube-system"
BOUND_ROLE = role_arn(f"{CLUSTER}-vpc-cni")
ISSUER = f"https://oidc.eks.{REGION}.amazonaws.com/id/77D0"
REPLICAS = 4
STOOD_FOR = timedelta(minutes=5)
"""Age of the world when the scenario begins: older than a node's grace period, and young for a cluster."""

_DENIALS = {"no-entry": Denial.UNAUTHENTICATED, "no-rbac": Denial.FORBIDDEN}
_BEHIND_THE_DOOR = ("service_account", "workload", "pods", "nodes", "plugin_errors", "has_identity_webhook", "guards")


@dataclass
class ScenarioWorld(World):
    """A world with one cluster and one ServiceAccount, `workload.service_account`."""

    workload: KnownWorkload = AWS_NODE
    scenario: scenarios.World = field(default_factory=scenarios.World)
    replaced: dict[str, str | None] = field(default_factory=dict)
    """Names of the replaced pods, with the role that each had."""
    sts_code: str = ""
    """The error code with which STS refuses every token."""

    @property
    def cluster(self) -> InCluster:
        return self.clusters[CLUSTER]

    @property
    def key(self) -> tuple[str, str]:
        return self.workload.namespace, self.workload.service_account

    @property
    def is_plugin(self) -> bool:
        return self.workload.addon == CNI_ADDON

    @property
    def nodes_ready(self) -> tuple[int, int]:
        nodes = self.cluster.nodes.values()
        return sum(node.ready is True for node in nodes), len(nodes)

    def replace_pod(self, cluster: InCluster, name: str) -> None:
        """Replace a pod. A plug-in publishes events about refused calls, except about those whose refusal sends none."""
        before = set(cluster.pods)
        self.replaced[name] = cluster.pods[name].facts.role_arn
        super().replace_pod(cluster, name)
        for pod in (cluster.pods[item] for item in set(cluster.pods) - before):
            if self.scenario.template_role:  # the webhook sets no variable where the template sets one of its own
                pod.facts = replace(pod.facts, role_arn=resolve_role(self.scenario.template_role), has_token_file=False)
            if not self.is_plugin or (pod.facts.container_credentials and not cluster.has_agent(pod.facts.node)):
                continue  # without credentials, the plug-in sends no event
            refused = self.scenario.refused_calls(self.version, of_node_role=pod.facts.role_arn is None)
            calls = [need.call for need in refused if need.event is EventDelivery.SENT]
            if not pod.facts.ready and not refused:
                calls = ["ec2:CreateNetworkInterface"]
            cluster.errors += [PluginError(call=call, pod=pod.facts.name, at=self.now) for call in calls]

    @property
    def version(self) -> str:
        """The version of the network plug-in."""
        addon = self.cluster.addons.get(CNI_ADDON)
        return addon.version if addon else self.scenario.addon_version

    def judge_roles(self) -> None:
        """Decide with which roles the installed version of the plug-in starts."""
        if not self.is_plugin:
            return
        scenario = self.scenario
        starts = {
            of_node_role: all(need.effect is not Effect.FATAL for need in scenario.refused_calls(self.version, of_node_role=of_node_role))
            for of_node_role in (True, False)
        }
        roles = filter(None, (BOUND_ROLE, scenario.cross_account_role(ACCOUNT))) if scenario.role_works and starts[False] else ()
        self.cluster.working_roles = frozenset(roles)
        self.cluster.falls_back = scenario.node_role_has_permissions and starts[True]

    def advance_update(self, cluster: InCluster, addon: str) -> None:
        """Advance an add-on update. A new version changes the pod template, so that the pods roll."""
        before, under_way = cluster.addons[addon].version, addon in cluster.updates
        super().advance_update(cluster, addon)
        if under_way and addon not in cluster.updates and cluster.addons[addon].version != before and addon == self.workload.addon:
            self.judge_roles()
            self.stamp_template(cluster)

    def stamp_template(self, cluster: InCluster) -> None:
        """Change the pod template, so that every pod is outdated."""
        for name, (facts, account) in cluster.workloads.items():
            generation = facts.generation + 1
            cluster.workloads[name] = (replace(facts, generation=generation, observed_generation=generation), account)

    def join_nodes(self, count: int) -> None:
        """Add nodes. Nodes of a plug-in's cluster are not Ready; a DaemonSet's pod is admitted on each at once."""
        for _ in range(count):
            made = a_node(len(self.cluster.nodes), ready=not self.is_plugin, since=self.now)
            self.cluster.nodes[made.name] = made
            if self.workload.kind is WorkloadKind.DAEMON_SET and self.cluster.workloads:
                self.admit(made.name)
        if self.workload.kind is WorkloadKind.DAEMON_SET:
            self._want(sum(node.os == "linux" for node in self.cluster.nodes.values()))

    def set_agents(self, *, absent: int, unready: int) -> None:
        """Let the agent be absent from the first nodes, and not ready on the next ones. Pods that failed without it recover."""
        names = [a_node(number, ready=True, since=self.now).name for number in range(absent + unready)]
        cluster = self.cluster
        cluster.without_agent = {name for name in cluster.without_agent if name not in cluster.nodes} | set(names[:absent])
        cluster.unready_agents = set(names[absent:])
        for name, pod in list(cluster.pods.items()):
            if pod.facts.container_credentials and not pod.facts.ready and cluster.has_agent(pod.facts.node):
                self.recover_pod(cluster, name)

    def admit(self, node: str) -> None:
        """Create a pod on this node, as the webhook admits it now."""
        blank = PodFacts(
            name=f"blank-{self.number()}",
            uid="blank",
            node=node,
            created_at=self.now,
            role_arn=None,
            container_credentials=False,
            ready=False,
            owner=(str(self.workload.kind), self.workload.name),
        )
        self.cluster.pods[blank.name] = Pod(blank, self.key)
        self.replace_pod(self.cluster, blank.name)

    def _want(self, count: int) -> None:
        for name, (facts, account) in self.cluster.workloads.items():
            unavailable = max(1, -(-count // 10))
            self.cluster.workloads[name] = (replace(facts, desired=count, max_unavailable=unavailable), account)
            self.cluster.pace = unavailable


def resolve_role(text: str | None) -> str | None:
    """The ARN for a scenario's word for a role."""
    return BOUND_ROLE if text == scenarios.BOUND else text


def world_of(described: scenarios.World) -> ScenarioWorld:
    """The world at the beginning of a scenario."""
    workload = known(NAMESPACE, described.service_account) or _deployment(described.service_account)
    world = ScenarioWorld(now=NOON - STOOD_FOR, workload=workload, scenario=described)
    world.clusters[CLUSTER] = _cluster(world, described)
    _put_parameters(world, described)
    _make_identity(world, described)
    _install(world, described)
    _close_doors(world, described)
    world.now = NOON
    return world


def _deployment(name: str) -> KnownWorkload:
    """A Deployment that the product does not know by name, with a ServiceAccount of its own."""
    needs = AddonNeeds(addon=name, read_until=(0,), calls=(), source="", container=name)
    kind = WorkloadKind.DEPLOYMENT
    return KnownWorkload(namespace=NAMESPACE, service_account=name, kind=kind, name=name, addon=None, needs=needs, impact=ANY_IMPACT)


def _cluster(world: ScenarioWorld, described: scenarios.World) -> InCluster:
    facts = ClusterFacts(
        name=CLUSTER,
        arn=f"arn:{PARTITION}:eks:{REGION}:{ACCOUNT}:cluster/{CLUSTER}",
        version=described.kubernetes,
        status="ACTIVE",
        endpoint=f"https://{CLUSTER}.gr7.{REGION}.eks.amazonaws.com",
        certificate_authority="Q0E=",
        issuer=described.issuer or ISSUER,
        created_at=world.now,
        ip_family=described.ip_family,
        auto_mode=ComputeType.AUTO in described.other_nodes,
    )
    cluster = InCluster(facts)
    if not world.is_plugin:
        cluster.working_roles, cluster.falls_back = None, True
    cluster.webhook.lag = timedelta(seconds=described.webhook_lag_s)
    cluster.repaired_nodegroups = ("blue",) if described.node_repair else ()
    return cluster


def _put_parameters(world: ScenarioWorld, described: scenarios.World) -> None:
    at = world.now - timedelta(days=30)
    if (value := described.binding_value(resolve_role(described.binding))) is not None:
        world.parameters[binding_path(CLUSTER, *world.key)] = Parameter(value=value, type=described.binding_type, changed_at=at)
    for name, text in described.settings.items():
        world.parameters[settings_path(ANY_CLUSTER, name)] = Parameter(value=str(text), changed_at=at)


def _make_identity(world: ScenarioWorld, described: scenarios.World) -> None:
    issuer = (world.cluster.facts.issuer or "").removeprefix("https://")
    if described.role_exists:
        world.roles[BOUND_ROLE] = RoleFacts(
            arn=BOUND_ROLE, trust=trust_policy(described, issuer=issuer, account=ACCOUNT, namespace=NAMESPACE)
        )
    world.simulated[BOUND_ROLE] = dict.fromkeys(described.role_lacks, REFUSED)
    if described.oidc_provider:
        arn = f"arn:{PARTITION}:iam::{ACCOUNT}:oidc-provider/{issuer}"
        world.providers[arn] = OidcProvider(arn=arn, client_ids=described.oidc_client_ids)
    if role := resolve_role(described.pod_identity):
        addon = f"arn:{PARTITION}:eks:{REGION}:{ACCOUNT}:addon/{CLUSTER}/{world.workload.addon}/1"
        world.cluster.associations[world.key] = (
            Association(
                id="a-1",
                role_arn=role,
                owner=addon if described.pod_identity_owner == "addon" else "",
                declared_by=f"CloudFormation (stack {STACK})" if described.pod_identity_owner == "cloudformation" else "",
            ),
        )


def _install(world: ScenarioWorld, described: scenarios.World) -> None:
    cluster, workload = world.cluster, world.workload
    if described.addon and described.addon_installed and workload.addon:
        version = described.addon_version if world.is_plugin else "v1.37.0-eksbuild.1"
        cluster.addons[workload.addon] = AddonFacts(
            name=workload.addon, version=version, status="ACTIVE", role_arn=resolve_role(described.addon_role), modified_at=world.now
        )
    if described.has_pod_identity_agent:
        agent = AddonFacts(name=POD_IDENTITY_AGENT_ADDON, version="v1.3.0-eksbuild.1", status="ACTIVE", role_arn=None)
        cluster.addons[POD_IDENTITY_AGENT_ADDON] = agent
    value = resolve_role(described.annotation)
    writer = FieldWriter(manager="eks" if described.addon else "helm", at=world.now - timedelta(days=1), owns_annotation=value is not None)
    annotations = {described.annotation_key: value} if value is not None else {}
    world.judge_roles()
    cluster.accounts[world.key] = ServiceAccountFacts(resource_version="1", role_annotations=annotations, writers=(writer,))
    if described.workload and described.addon_installed:
        cluster.workloads[workload.namespace, workload.kind, workload.name] = (_workload(world), world.key)
    world.set_agents(absent=described.pod_identity_agent_absent, unready=described.pod_identity_agent_unready)
    _add_other_nodes(world, described.other_nodes)
    world.join_nodes(described.nodes)
    for number in range(described.windows_nodes):
        made = a_node(100 + number, ready=True, since=world.now)
        cluster.nodes[made.name] = replace(made, os="windows")
    if workload.kind is not WorkloadKind.DAEMON_SET and described.workload:
        for number in range(REPLICAS):
            world.admit(list(cluster.nodes)[number % len(cluster.nodes)])


def _add_other_nodes(world: ScenarioWorld, kinds: Mapping[str, int]) -> None:
    """Add nodes on which the DaemonSets of aws-node and of the agent do not run.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/fargate.html
    """
    for number, kind in enumerate(kind for kind, count in kinds.items() for _ in range(count)):
        made = a_node(200 + number, ready=True, since=world.now)
        name = f"fargate-{made.name}" if kind == ComputeType.FARGATE else made.name
        is_windows = kind == ComputeType.WINDOWS
        changes = {"os": kind} if is_windows else {"compute_type": kind}
        world.cluster.nodes[name] = replace(made, name=name, nodegroup="", **changes)
        world.cluster.without_agent.add(name)


def _workload(world: ScenarioWorld) -> WorkloadFacts:
    described, container = world.scenario, world.workload.needs.container
    image = f"registry.example.com/{container}:{described.image_tag}"
    return WorkloadFacts(
        kind=world.workload.kind,
        name=world.workload.name,
        desired=REPLICAS,
        updated=0,
        max_unavailable=1,
        generation=1,
        observed_generation=1,
        containers=(ContainerFacts(name=container, image=image, environment={}),) if described.image_tag else (),
        template_role_arn=resolve_role(described.template_role),
    )


def _close_doors(world: ScenarioWorld, described: scenarios.World) -> None:
    if described.access == "granted":
        return
    for method in _BEHIND_THE_DOOR:
        error = AccessDenied(f"read of the cluster: {described.access}", denial=_DENIALS[described.access])
        world.fail(f"cluster.{method}", error, times=None)
