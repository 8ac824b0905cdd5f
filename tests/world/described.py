"""Worlds from a description, which contains only the differences from a healthy one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lambdas.contract.names import ROLE_ANNOTATION, STS_AUDIENCE
from lambdas.contract.parameters import binding_path
from lambdas.contract.settings import settings_path
from lambdas.contract.workloads import WorkloadKind
from lambdas.domain.snapshot.bindings import Parameter
from lambdas.domain.snapshot.snapshot import (
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
    WorkloadFacts,
)
from tests.world.simulations import decided
from tests.world.state import (
    ACCOUNT,
    NAME,
    NAMESPACE,
    NOON,
    PARTITION,
    REGION,
    InCluster,
    Json,
    Pod,
    Update,
    Webhook,
    World,
    a_node,
    role_arn,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def described(description: Mapping[str, Any] | None = None) -> World:
    """A healthy world with the changes of a description. All keys are optional; None means that the object does not exist.

    cluster: fields of ClusterFacts, beside `nodes` (a number), `not_ready` (how many of them wait for the CNI), `pace`, `update_reads`,
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


_BEHAVIOUR = ("pace", "update_reads", "falls_back", "successors_crash", "repaired_nodegroups", "working_roles")
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
    cluster.nodes = {node.name: node for node in (_since_when(number, well=number < total - sick) for number in range(total))}
    return cluster


def _since_when(number: int, *, well: bool) -> NodeFacts:
    """A node that is well for days, or has waited for its CNI since it joined."""
    ago = timedelta(days=10) if well else timedelta(minutes=5)
    made = a_node(number, ready=well, since=NOON - ago)
    return made if well else replace(made, created_at=NOON - timedelta(minutes=6))


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
        world.simulated[bound] = decided(told["simulated"])
    roles: Iterable[str] = told.get("associations") or ()
    cluster.associations[NAMESPACE, NAME] = tuple(Association(id=f"a-{index}", role_arn=item) for index, item in enumerate(roles))


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
    issues = tuple(HealthIssue(**issue) for issue in told.get("issues", ()))
    fields = {"name": "vpc-cni", "version": "v1.15.1-eksbuild.1", "status": "ACTIVE", "role_arn": bound, **told, "issues": issues}
    record = AddonFacts(**fields)
    cluster.addons[record.name] = record
    if record.status == "UPDATING":
        cluster.updates[record.name] = Update(replace(record, status="ACTIVE"), reads_left=cluster.update_reads)


def _account(told: Json, bound: str) -> ServiceAccountFacts:
    annotation = told.get("annotation", bound)
    annotations = {**(told.get("annotations") or {}), **({ROLE_ANNOTATION: annotation} if annotation else {})}
    at = NOON - timedelta(days=20)
    writer = FieldWriter(manager="eks", at=at, owns_annotation=bool(annotation))
    return ServiceAccountFacts(resource_version="1", role_annotations=annotations, writers=(writer,))


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
            owner=("DaemonSet", NAME),
            waiting="" if node.ready else "CrashLoopBackOff",
        )
        cluster.pods[facts.name] = Pod(facts, (NAMESPACE, NAME))
        if theirs is None:
            cluster.errors += [PluginError(call=call, pod=facts.name, at=world.now) for call in told.get("errors") or ()]
