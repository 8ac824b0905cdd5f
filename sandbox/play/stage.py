"""The stage: local AWS, a cluster, and the real functions from the built asset, wired by the contract."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final, Self

from infra.asset import Target, build
from lambdas.contract.access import GROUPS, BoundWorkload, manifests
from lambdas.contract.environment import ALLOCATOR, Environment, Function, variable
from lambdas.contract.events import SUBSCRIPTIONS
from lambdas.contract.names import CNI_ADDON, POD_IDENTITY_AGENT_ADDON
from lambdas.contract.workloads import known
from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.local import ACCOUNT, REGION, LocalAws
from sandbox.behaviours.plugin import Allowed, Denied, Unreachable
from sandbox.bus.bus import EventBus
from sandbox.cluster import aws_node
from sandbox.cluster.objects import deployment, node, service_account
from sandbox.cluster.resources import DAEMON_SETS, SERVICE_ACCOUNTS
from sandbox.functions.dead_letters import DeadLetters
from sandbox.functions.durable import LambdaFront
from sandbox.functions.function import Function as LocalFunction
from sandbox.play import accounts
from sandbox.play.accounts import CHECKER, CLUSTER, NAMESPACE, NODE_ROLE, REMEDIATOR, TABLE, resolved, role_arn
from sandbox.play.ground import EmbeddedGround
from sandbox.play.scenario import BOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.control_plane.cluster import ControlPlane
    from sandbox.play.ground import Ground
    from sandbox.play.scenario import World

ALIAS: Final = "live"
WINDOWS_FROM: Final = 500
"""Numbers Windows nodes, which their names follow from, apart from the others."""


class Stage:
    """One scenario's world, standing: a context manager.

    `on_line(function, line)` gets what the functions log, `on_step` what the set-up does; `cluster` is `embedded` or `real`, and
    `control_plane` a real one that runs already, for a cluster named as ours: it is emptied before and after.
    """

    def __init__(
        self,
        world: World,
        *,
        cluster: str = "embedded",
        control_plane: ControlPlane | None = None,
        on_line: Callable[[str, str], None] | None = None,
        on_step: Callable[[str], None] = lambda _: None,
        skip_time: bool = False,
    ) -> None:
        self.world = world
        self._cluster = cluster
        self._control_plane = control_plane
        self._on_step = on_step
        self.aws = LocalAws(may_pass=self._may_pass)
        self._on_line = on_line
        self._skip_time = skip_time
        self._stack = ExitStack()
        self.lines: list[tuple[str, str]] = []
        self.sts_timeout = ""
        """What pods end with where they cannot reach STS; empty where they can."""

    def __enter__(self) -> Self:
        try:
            self._set_up()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _set_up(self) -> None:
        self._on_step("AWS APIs on loopback")
        self._stack.enter_context(self.aws)
        self.ground: Ground = self._stack.enter_context(self._ground())
        self.world = replace(self.world, kubernetes=self.ground.version)  # a real cluster has one version, whatever the scenario says
        self._on_step(f"cluster {CLUSTER} at Kubernetes {self.world.kubernetes}, {self.world.nodes} nodes")
        spec = ClusterSpec(
            name=CLUSTER, version=self.world.kubernetes, endpoint=self.ground.url, ca_data=self.ground.ca_data, issuer=self.world.issuer
        )
        self.issuer: str = self.aws.eks.add_cluster(spec).record["identity"]["oidc"]["issuer"]
        accounts.make_identity(self.aws, self.world, self.issuer)
        accounts.put_parameters(self.aws, self.world)
        accounts.make_table(self.aws)
        self.topics = accounts.make_topics(self.aws)
        self._grant_access()
        self._fill_eks()
        self.aws.eks.hook(on_addon_applied=self._addon_applied)
        self._fill_cluster()
        self._start_functions()

    def _ground(self) -> Ground:
        if self._cluster == "real":
            return self._real_ground()
        return EmbeddedGround(
            CLUSTER,
            version=self.world.kubernetes,
            sts_url=self.aws.endpoint,
            secret_of=self.aws.roles.secret_of,
            access_entries=self._access_entries,
            role_can_run_cni=self._can_run,
            association_of=self._association,
        )

    def _real_ground(self) -> Ground:
        from sandbox.play.real_ground import RealGround

        return RealGround(
            CLUSTER,
            control_plane=self._control_plane,
            nodes=self.world.nodes,
            sts=self.aws.gateway.answer,
            access_entries=self._access_entries,
            roles=[role_arn(accounts.ROLE), *filter(None, [_elsewhere(self.world)])],
            role_can_run_cni=self._can_run,
            association_of=self._association,
            on_step=self._on_step,
        )

    # --- who may what ------------------------------------------------------------------------------------------------------------

    def _can_run(self, role: str | None) -> Allowed | Denied | Unreachable:
        """Whether the plug-in works with a role: the bound one where its trust is right, or the node's own, which needs no STS."""
        world = self.world
        if self.sts_timeout and role not in (None, role_arn(NODE_ROLE)):
            return Unreachable(self.sts_timeout)
        bound_works = world.service_account != aws_node.NAME or (
            world.role_exists and world.role_suffices and world.trust.works and world.oidc_provider
        )
        if role is None or role == role_arn(NODE_ROLE):
            return Allowed() if self.world.node_role_suffices else Denied("DescribeNetworkInterfaces")
        if role in (resolved(BOUND), _elsewhere(world)) and bound_works:
            return Allowed()
        return Denied("CreateNetworkInterface")

    def _may_pass(self, principal: str, role: str, service: str) -> bool:
        return principal != CHECKER and service == "eks.amazonaws.com" and role.startswith(f"arn:aws:iam::{ACCOUNT}:role/")

    def _access_entries(self) -> list[dict[str, Any]]:
        cluster = self.aws.eks.world.clusters.get(CLUSTER)
        return list(cluster.access_entries.values()) if cluster else []

    def _association(self, namespace: str, account: str) -> Mapping[str, Any] | None:
        cluster = self.aws.eks.world.clusters.get(CLUSTER)
        found = cluster.associations.values() if cluster else ()
        return next((it for it in found if (it["namespace"], it["serviceAccount"]) == (namespace, account)), None)

    def _grant_access(self) -> None:
        if self.world.access == "no-entry":
            return
        eks = self.aws.client("eks")
        for function, principal in ((Function.CHECKER, CHECKER), (Function.REMEDIATOR, REMEDIATOR)):
            eks.create_access_entry(clusterName=CLUSTER, principalArn=role_arn(principal), kubernetesGroups=[GROUPS[function]])
        if self.world.access == "granted":
            self.grant_rbac()

    def grant_rbac(self) -> None:
        """Apply the Roles that the contract generates, for this world's ServiceAccount."""
        workload = known(NAMESPACE, self.world.service_account)
        bound = [BoundWorkload(workload.namespace, workload.service_account, workload.kind, workload.name)] if workload else []
        for manifest in manifests(bound):
            self.ground.apply(manifest, "irsa-remediator-access")

    # --- what stands -------------------------------------------------------------------------------------------------------------

    @property
    def addon(self) -> str | None:
        """The add-on that owns this world's ServiceAccount."""
        workload = known(NAMESPACE, self.world.service_account)
        return workload.addon if workload else None

    def _fill_eks(self) -> None:
        world = self.world
        if world.addon and world.addon_installed and self.addon:
            role = {"serviceAccountRoleArn": it} if (it := resolved(world.addon_role)) else {}
            version = {"addonVersion": world.addon_version} if self.addon == CNI_ADDON else {}
            self.aws.eks.add_addon(CLUSTER, self.addon, **version, **role)
        self.aws.eks.add_nodegroup(CLUSTER, "default", node_role=role_arn(NODE_ROLE), size=world.nodes, repair=world.node_repair)
        if world.pod_identity:
            if world.pod_identity_agent:
                self.aws.eks.add_addon(CLUSTER, POD_IDENTITY_AGENT_ADDON)
            self.aws.client("eks").create_pod_identity_association(
                clusterName=CLUSTER, namespace=NAMESPACE, serviceAccount=world.service_account, roleArn=resolved(world.pod_identity)
            )

    def _fill_cluster(self) -> None:
        world = self.world
        self.ground.switches.cache_lag_s = world.webhook_lag_s
        manager = "eks" if world.addon else "helm"
        account = (
            aws_node.service_account(version=_plain(world.addon_version))
            if world.service_account == aws_node.NAME
            else service_account(world.service_account)
        )
        if value := resolved(world.annotation):
            account["metadata"]["annotations"] = {world.annotation_key: value}
        self.ground.apply(account, manager)
        if world.workload and world.addon_installed:
            self.ground.apply(self._workload(), manager)
        if world.service_account != aws_node.NAME:  # without a CNI no node is Ready, and no other pod starts
            self.ground.apply(aws_node.service_account(role_arn=resolved(BOUND)), "eks")
            self.ground.apply(aws_node.daemon_set(), "eks")
        self.ground.join_nodes(world.nodes)
        for number in range(world.windows_nodes):  # their CNI comes with the machine image, so they join Ready
            self.ground.apply(node(WINDOWS_FROM + number, version=world.kubernetes, os="windows"), "kubelet")

    def _workload(self) -> dict[str, Any]:
        if self.world.service_account == aws_node.NAME:
            return aws_node.daemon_set(version=_plain(self.world.addon_version))
        workload = known(NAMESPACE, self.world.service_account)
        return deployment(workload.name if workload else self.world.service_account, account=self.world.service_account, replicas=4)

    def _addon_applied(self, _cluster: str, record: dict[str, Any], request: dict[str, Any]) -> None:
        """What EKS does in the cluster when an add-on update takes effect: its fields, as the manager `eks`."""
        if record["addonName"] != self.addon:
            return
        role = record.get("serviceAccountRoleArn")
        annotation = {"metadata": {"annotations": {aws_node.ROLE_KEY: role}}}
        self.ground.patch(SERVICE_ACCOUNTS, self.world.service_account, NAMESPACE, annotation, "eks")
        if request.get("addonVersion") and self.world.service_account == aws_node.NAME:
            template = aws_node.daemon_set(version=_plain(request["addonVersion"]))["spec"]["template"]
            self.ground.patch(DAEMON_SETS, aws_node.NAME, NAMESPACE, {"spec": {"template": template}}, "eks")

    # --- the functions -----------------------------------------------------------------------------------------------------------

    def _start_functions(self) -> None:
        self._on_step("the functions' asset, as deployment bundles it, in the Lambda emulator")
        asset = build(Target.this_machine())
        self.dead_letters = DeadLetters(self.aws.client)
        self.functions = self._stack.enter_context(
            LambdaFront(region=REGION, skip_time=self._skip_time, on_line=self._line, on_dead_letter=self.dead_letters)
        )
        self.aws.route("lambda", self.functions)
        for function, principal, durable in ((Function.CHECKER, CHECKER, False), (Function.REMEDIATOR, REMEDIATOR, True)):
            self.functions.add(
                LocalFunction(
                    name=principal,
                    asset=asset,
                    handler=function.handler,
                    environment={**ALLOCATOR, **self.environment(), **self.aws.environment(principal)},
                    durable=durable,
                    concurrency=2,
                )
            )
        rules = {name: it.pattern([role_arn(REMEDIATOR), role_arn(CHECKER)]) for name, it in SUBSCRIPTIONS.items()}
        self.bus = self._stack.enter_context(EventBus(self.aws, function=CHECKER, rules=rules))

    def environment(self) -> dict[str, str]:
        """The functions' variables, from the contract."""
        values = {
            "account": ACCOUNT,
            "region": REGION,
            "partition": "aws",
            "incidents_table": TABLE,
            "remediator_arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{REMEDIATOR}:{ALIAS}",
            "chat_topic_arn": self.topics.chat,
            "people_topic_arn": self.topics.people,
            "event_bus": "default",
            "our_role_arns": ",".join(map(role_arn, (CHECKER, REMEDIATOR))),
            "may_simulate": "false",
        }
        return {variable(it.name): values[it.name] for it in fields(Environment) if it.name in values}

    def _line(self, function: str, line: str) -> None:
        self.lines.append((function, line))
        if self._on_line:
            self._on_line(function, line)

    # --- what came of it ---------------------------------------------------------------------------------------------------------

    def messages(self) -> list[dict[str, Any]]:
        """What was sent to the chat topic, in order: the notifications as Amazon Q Developer would take them."""
        sqs = self.aws.client("sqs")
        found: list[dict[str, Any]] = []
        while batch := sqs.receive_message(QueueUrl=self.topics.chat_queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in batch:
                found.append(json.loads(json.loads(message["Body"])["Message"]))
                sqs.delete_message(QueueUrl=self.topics.chat_queue, ReceiptHandle=message["ReceiptHandle"])
        return found


def _plain(addon_version: str) -> str:
    """The plug-in's version in an add-on's: `v1.15.1-eksbuild.1` -> `v1.15.1`."""
    return addon_version.partition("-")[0]


def _elsewhere(world: World) -> str | None:
    """The bound role where it is one of another account, which works as well as the sandbox's own."""
    return world.binding if world.binding and world.binding.startswith("arn:aws:iam::") and ACCOUNT not in world.binding else None
