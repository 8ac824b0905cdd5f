"""The environment of a scenario: local AWS, a cluster, and the real functions from the built asset, wired by the contract."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from lambdas.contract.access import GROUPS, BoundWorkload, manifests
from lambdas.contract.call_needs import Effect, EventDelivery
from lambdas.contract.environment import ALLOCATOR, Function
from lambdas.contract.events import SUBSCRIPTIONS, SWEEP_RATE_MINUTES
from lambdas.contract.memory import MEMORY_MIB
from lambdas.contract.names import CNI_ADDON
from lambdas.contract.timeouts import TIMEOUT_S
from lambdas.contract.workloads import known
from lambdas.domain.snapshot.snapshot import ComputeType
from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.aws.eks_pod_identity import PASSED_TO
from sandbox.aws.local_aws import ACCOUNT, REGION, LocalAws
from sandbox.cluster import aws_node
from sandbox.controllers.vpc_cni import (
    AGENT_REFUSES,
    NO_AGENT,
    Allowed,
    Denied,
    NoCredentials,
    RoleVerdict,
    effective_role,
    sts_refuses,
)
from sandbox.event_bus.event_bus import EventBus
from sandbox.functions.dead_letters import DeadLetters
from sandbox.functions.function import Function as LocalFunction
from sandbox.functions.lambda_api import LambdaApi
from sandbox.functions.rie import stand_in_reason
from sandbox.resource_stack import ResourceStack
from sandbox.simulation import aws_account, seed_data
from sandbox.simulation.aws_account import CHECKER, CLUSTER, NAMESPACE, NODE_ROLE, REMEDIATOR, TABLE, resolve_role, role_arn
from sandbox.simulation.cluster_backend import EmbeddedBackend, agent_nodes, pods_of
from sandbox.simulation.deployment import function_asset, function_variables
from sandbox.simulation.scenario import BOUND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.control_plane.control_plane import ControlPlane
    from sandbox.simulation.cluster_backend import ClusterBackend
    from sandbox.simulation.scenario import World

SWEEP_RULE: Final = "Sweep"
"""The rule of the schedule. The local bus runs no schedule; `announce` sends its event."""


WITHOUT_EMULATOR: Final = "functions from the built asset, in processes of their own under a Lambda Runtime API in Python"


class SandboxEnvironment(ResourceStack):
    """A context manager that sets up the world of a scenario.

    Args:
        cluster: `embedded` or `real`.
        control_plane: a running real one for a cluster of this name; it is emptied before and after.
        on_line: called with the function name and each line that the function logs.
        on_step: called with each step of the set-up.
        skip_time: durable waits end at once.
        preloaded: fork the functions from a process that has imported their modules; for tests with many environments.
    """

    AWS: ClassVar = "AWS APIs on loopback"
    """The first step of the set-up."""

    def __init__(
        self,
        world: World,
        *,
        cluster: str = "embedded",
        control_plane: ControlPlane | None = None,
        on_line: Callable[[str, str], None] | None = None,
        on_step: Callable[[str], None] = lambda _: None,
        skip_time: bool = False,
        preloaded: bool = False,
    ) -> None:
        self.world = world
        self._cluster = cluster
        self._control_plane = control_plane
        self._on_step = on_step
        self.aws = self._local_aws()
        self._on_line = on_line
        self._skip_time = skip_time
        self._preloaded = preloaded
        self.lines: list[tuple[str, str]] = []
        self.sts_fault: NoCredentials | None = None
        """What every call to STS ends with; None while STS answers by role and trust policy."""
        self.refused_actions: set[tuple[str, str]] = set()
        """Role ARNs and actions that the policy simulator refuses."""
        self.table = TABLE

    def _local_aws(self) -> LocalAws:
        return LocalAws(may_pass=self._may_pass, allows=self._allows)

    def _set_up(self) -> None:
        self._on_step(self.AWS)
        self._stack.enter_context(self.aws)
        self.backend: ClusterBackend = self._stack.enter_context(self._ground())
        self.world = replace(self.world, kubernetes=self.backend.version)  # a real cluster has one version, which the scenario cannot set
        self._on_step(f"cluster {CLUSTER}, Kubernetes {self.world.kubernetes}, {self.world.nodes} nodes")
        spec = ClusterSpec(
            name=CLUSTER,
            version=self.world.kubernetes,
            endpoint=self.backend.url,
            ca_data=self.backend.ca_data,
            issuer=self.world.issuer,
            ip_family=self.world.ip_family,
            auto_mode=ComputeType.AUTO in self.world.other_nodes,
        )
        self.issuer: str = self.aws.eks.add_cluster(spec).record["identity"]["oidc"]["issuer"]
        aws_account.create_identity(self.aws, self.world, self.issuer)
        aws_account.put_parameters(self.aws, self.world)
        self._deploy()
        self._grant_access()
        seed_data.seed_eks(self.aws, self.world)
        self.aws.eks.hook(on_addon_applied=self._addon_applied, on_associations_changed=lambda _: self.backend.update_plugin_credentials())
        seed_data.seed_cluster(self.backend, self.world)
        self._start_functions()

    def _deploy(self) -> None:
        """Create what the stack of an environment contains, except the functions and rules."""
        aws_account.create_function_roles(self.aws)
        aws_account.create_table(self.aws)
        self.topics = aws_account.create_topics(self.aws)

    def _ground(self) -> ClusterBackend:
        if self._cluster == "real":
            return self._real_ground()
        return EmbeddedBackend(
            CLUSTER,
            version=self.world.kubernetes,
            sts_url=self.aws.endpoint,
            access_entries=self._access_entries,
            role_can_run_cni=self._can_run,
            association_of=self._association,
            associated_role=self._associated_role,
        )

    def _real_ground(self) -> ClusterBackend:
        from sandbox.simulation.real_backend import RealBackend

        return RealBackend(
            CLUSTER,
            control_plane=self._control_plane,
            nodes=self.world.nodes,
            sts=self.aws.gateway.answer,
            access_entries=self._access_entries,
            roles=[role_arn(aws_account.ROLE), *filter(None, [self.world.cross_account_role(ACCOUNT)])],
            role_can_run_cni=self._can_run,
            association_of=self._association,
            associated_role=self._associated_role,
            on_step=self._on_step,
        )

    # --- permissions -------------------------------------------------------------------------------------------------------------

    def _can_run(self, role: str | None) -> RoleVerdict:
        """Whether the plug-in works with a role. None is the node's role, which needs no STS."""
        if role == NO_AGENT:
            return AGENT_REFUSES
        if role is None or role == role_arn(NODE_ROLE):
            return self._started(of_node_role=True) if self.world.node_role_has_permissions else Denied("ec2:DescribeNetworkInterfaces")
        return self._answer_of_sts(role) or self._started_with_bound_role()

    def _answer_of_sts(self, role: str) -> NoCredentials | None:
        """Why STS gives no credentials for a role; None if it gives them. A role that does not exist is refused like an untrusting one."""
        world = self.world
        if self.sts_fault:
            return self.sts_fault
        if role not in (resolve_role(BOUND), world.cross_account_role(ACCOUNT)):
            return sts_refuses("AccessDenied")
        if world.service_account != aws_node.NAME:
            return None  # the world describes the role of another workload
        if not world.oidc_provider:
            return sts_refuses("InvalidIdentityToken")
        return None if world.role_exists and world.trust.is_valid else sts_refuses("AccessDenied")

    def _started_with_bound_role(self) -> Allowed | Denied:
        is_fit = self.world.role_has_permissions or self.world.service_account != aws_node.NAME
        return self._started(of_node_role=False) if is_fit else Denied("ec2:CreateNetworkInterface")

    def plugin_verdicts(self) -> list[tuple[Mapping[str, Any], str | None, RoleVerdict]]:
        """Each pod of the network plug-in, with the role that it uses and what AWS answers to it."""
        pods = pods_of(self.backend, aws_node.NAME)
        served = agent_nodes(self.backend)
        roles = [effective_role(pod, self._associated_role, has_agent=pod["spec"].get("nodeName") in served) for pod in pods]
        return [(pod, role, self._can_run(role)) for pod, role in zip(pods, roles, strict=True)]

    def _started(self, *, of_node_role: bool) -> Allowed | Denied:
        """How the installed version of the plug-in starts with a role that lacks some calls."""
        cluster = self.aws.eks.state.clusters.get(CLUSTER)
        addon = cluster.addons.get(CNI_ADDON) if cluster else None
        version = str(addon["addonVersion"]) if addon else self.world.addon_version
        refused = self.world.refused_calls(version, of_node_role=of_node_role)
        fatal = next((need for need in refused if need.effect is Effect.FATAL), None)
        if fatal:
            return Denied(fatal.call, reported=fatal.event is EventDelivery.SENT)
        return Allowed(reports=tuple(need.call for need in refused if need.event is EventDelivery.SENT))

    def _allows(self, role: str, action: str) -> bool:
        return (role, action) not in self.refused_actions and (role != resolve_role(BOUND) or action not in self.world.role_lacks)

    def _may_pass(self, principal: str, role: str, service: str) -> bool:
        return principal != CHECKER and service in ("eks.amazonaws.com", PASSED_TO) and role.startswith(f"arn:aws:iam::{ACCOUNT}:role/")

    def _access_entries(self) -> list[dict[str, Any]]:
        cluster = self.aws.eks.state.clusters.get(CLUSTER)
        return list(cluster.access_entries.values()) if cluster else []

    def _association(self, namespace: str, account: str) -> Mapping[str, Any] | None:
        cluster = self.aws.eks.state.clusters.get(CLUSTER)
        found = cluster.associations.values() if cluster else ()
        return next((item for item in found if (item["namespace"], item["serviceAccount"]) == (namespace, account)), None)

    def _associated_role(self, namespace: str, account: str) -> str | None:
        found = self._association(namespace, account)
        return str(found["roleArn"]) if found else None

    def _grant_access(self) -> None:
        if self.world.access == "no-entry":
            return
        self._create_access_entries()
        if self.world.access == "granted":
            self.grant_rbac()

    def _create_access_entries(self) -> None:
        eks = self.aws.client("eks")
        for function, principal in ((Function.CHECKER, CHECKER), (Function.REMEDIATOR, REMEDIATOR)):
            eks.create_access_entry(clusterName=CLUSTER, principalArn=role_arn(principal), kubernetesGroups=[GROUPS[function]])

    def grant_rbac(self) -> None:
        """Apply the RBAC manifests of the contract for the ServiceAccount of this world."""
        workload = known(NAMESPACE, self.world.service_account)
        bound = [BoundWorkload(workload.namespace, workload.service_account, workload.kind, workload.name)] if workload else []
        for manifest in manifests(bound):
            self.backend.apply(manifest, "irsa-remediator-access")

    # --- add-on ------------------------------------------------------------------------------------------------------------------

    @property
    def addon(self) -> str | None:
        """The add-on that owns the ServiceAccount of this world."""
        return seed_data.addon_name(self.world)

    def _addon_applied(self, _cluster: str, record: Mapping[str, Any], request: Mapping[str, Any]) -> None:
        seed_data.apply_addon(self.backend, self.world, record, request)
        self.backend.update_plugin_credentials()  # the update may have changed the add-on's associations

    # --- the functions -----------------------------------------------------------------------------------------------------------

    def _start_functions(self) -> None:
        reason = stand_in_reason()
        self._on_step("functions from the built asset, in the Lambda emulator" if not reason else f"{WITHOUT_EMULATOR} ({reason})")
        self.dead_letters = DeadLetters(self.aws.client)
        self.functions = self._stack.enter_context(
            LambdaApi(region=REGION, skip_time=self._skip_time, on_line=self._line, on_dead_letter=self.dead_letters)
        )
        self.aws.route("lambda", self.functions)
        for function, principal, durable in ((Function.CHECKER, CHECKER, False), (Function.REMEDIATOR, REMEDIATOR, True)):
            self.functions.add(
                LocalFunction(
                    name=principal,
                    asset=function_asset(),
                    handler=function.handler,
                    environment={**ALLOCATOR, **self.function_variables(), **self.aws.environment(principal)},
                    durable=durable,
                    memory_mib=MEMORY_MIB[function],
                    timeout_s=TIMEOUT_S[function],
                    concurrency=2,
                    preloaded=self._preloaded,
                    role=role_arn(principal),
                    dead_letters=self.dead_letters.arn_of(principal),
                )
            )
        rules = {name: item.pattern([role_arn(CHECKER), role_arn(REMEDIATOR)]) for name, item in SUBSCRIPTIONS.items()}
        states = {name: item.state for name, item in SUBSCRIPTIONS.items()}
        self.bus = self._stack.enter_context(EventBus(self.aws, function=CHECKER, rules=rules, states=states))
        self.aws.client("events").put_rule(Name=SWEEP_RULE, ScheduleExpression=f"rate({SWEEP_RATE_MINUTES} minutes)", State="ENABLED")

    def function_variables(self) -> dict[str, str]:
        """The environment variables of the functions, from the contract."""
        return function_variables(self.topics)

    def _line(self, function: str, line: str) -> None:
        self.lines.append((function, line))
        if self._on_line:
            self._on_line(function, line)

    # --- results -----------------------------------------------------------------------------------------------------------------

    def messages(self) -> list[dict[str, Any]]:
        """The notifications sent to the chat topic since the last call, in order."""
        sqs = self.aws.client("sqs")
        found: list[dict[str, Any]] = []
        while batch := sqs.receive_message(QueueUrl=self.topics.chat_queue, MaxNumberOfMessages=10).get("Messages", []):
            for message in batch:
                found.append(json.loads(json.loads(message["Body"])["Message"]))
                sqs.delete_message(QueueUrl=self.topics.chat_queue, ReceiptHandle=message["ReceiptHandle"])
        return found
