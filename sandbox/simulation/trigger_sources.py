"""Each way the trouble announces itself, alone: a fault, who tells of it, and the rules that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lambdas.contract.environment import Function
from lambdas.contract.events import SUBSCRIPTIONS
from lambdas.contract.parameters import binding_path
from sandbox.cluster import aws_node
from sandbox.cluster.resources import SERVICE_ACCOUNTS
from sandbox.functions.function import Function as LocalFunction
from sandbox.simulation import telling
from sandbox.simulation.aws_account import CLUSTER, NAMESPACE, OPERATOR, ROLE, role_arn
from sandbox.simulation.deployment import function_asset
from sandbox.simulation.telling import WATCHER, announced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.simulation.environment import SandboxEnvironment

BY_CLOUDTRAIL: Final = "CloudTrail hands a call over in seconds, at times in minutes"


@dataclass(frozen=True, kw_only=True)
class TriggerSource:
    """One source. `rules` are the only ones that it needs; `elsewhere` is what comes on top of it outside of this machine."""

    fault: Callable[[SandboxEnvironment], None]
    tell: Callable[[SandboxEnvironment], None] = lambda _: None
    rules: tuple[str, ...]
    watched: bool = False
    elsewhere: str = ""


def _annotation_gone(env: SandboxEnvironment) -> None:
    patch = {"metadata": {"annotations": {aws_node.ROLE_KEY: None}}}
    env.backend.patch(SERVICE_ACCOUNTS, aws_node.NAME, NAMESPACE, patch, "somebody")


def _update_without_role(env: SandboxEnvironment) -> None:
    eks = env.aws.client("eks", principal=OPERATOR)
    eks.update_addon(clusterName=CLUSTER, addonName="vpc-cni", addonVersion="v1.15.1-eksbuild.1")


def _associated_without_agent(env: SandboxEnvironment) -> None:
    eks = env.aws.client("eks", principal=OPERATOR)
    eks.create_pod_identity_association(clusterName=CLUSTER, namespace=NAMESPACE, serviceAccount=aws_node.NAME, roleArn=role_arn(ROLE))


def _bound_to_no_role(env: SandboxEnvironment) -> None:
    path = binding_path(CLUSTER, NAMESPACE, aws_node.NAME)
    env.aws.client("ssm").put_parameter(Name=path, Value=role_arn(f"{CLUSTER}-other"), Type="String", Overwrite=True)


TRIGGER_SOURCES: Final[Mapping[str, TriggerSource]] = {
    "add-on call": TriggerSource(fault=_update_without_role, rules=("AddonCalls",), elsewhere=BY_CLOUDTRAIL),
    "pod identity call": TriggerSource(fault=_associated_without_agent, rules=("IdentityCalls",), elsewhere=BY_CLOUDTRAIL),
    "add-on event": TriggerSource(
        fault=_annotation_gone, tell=announced("addon-event"), rules=("AddonEvents",), elsewhere="EKS sends it at the end of the update"
    ),
    "CloudWatch alarm": TriggerSource(
        fault=_annotation_gone, tell=announced("alarm"), rules=("NodeAlarms",), elsewhere="the alarm's period is 60 s"
    ),
    "kubernetes-event-exporter": TriggerSource(
        fault=_annotation_gone,
        tell=telling.exported,
        rules=("KubernetesEvents",),
        elsewhere="the node controller waits for 50 s of silence",
    ),
    "audit log: node not ready": TriggerSource(
        fault=_annotation_gone,
        tell=telling.logged_not_ready,
        rules=("OwnEvents",),
        watched=True,
        elsewhere="a kubelet tells within 10 s, CloudWatch Logs delivers in seconds",
    ),
    "audit log: identity changed": TriggerSource(
        fault=_annotation_gone,
        tell=telling.logged_annotation_gone,
        rules=("OwnEvents",),
        watched=True,
        elsewhere="CloudWatch Logs delivers in seconds",
    ),
    "parameter changed": TriggerSource(
        fault=_bound_to_no_role, tell=telling.parameter_changed, rules=("ParameterChanges",), elsewhere="seconds"
    ),
    "sweep": TriggerSource(
        fault=_annotation_gone, tell=announced("sweep"), rules=("OwnEvents",), elsewhere="up to 5 minutes until its turn"
    ),
    "a person, by event": TriggerSource(fault=_annotation_gone, tell=announced("check-requested"), rules=("OwnEvents",)),
    "a person, by invocation": TriggerSource(fault=_annotation_gone, tell=telling.asked_directly, rules=()),
}


def enable_only(env: SandboxEnvironment, source: TriggerSource) -> None:
    """Switch every rule off that the source does not need, and the node watcher on where it does."""
    events = env.aws.client("events")
    for name in SUBSCRIPTIONS:
        if name not in source.rules:
            events.disable_rule(Name=name)
    if source.watched:
        env.aws.roles.create(WATCHER)
        environment = {**env.function_variables(), **env.aws.environment(WATCHER)}
        env.functions.add(
            LocalFunction(name=WATCHER, asset=function_asset(), handler=Function.NODE_WATCHER.handler, environment=environment)
        )
