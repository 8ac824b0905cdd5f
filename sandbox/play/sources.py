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
from sandbox.play import telling
from sandbox.play.accounts import CLUSTER, NAMESPACE, OPERATOR, ROLE, role_arn
from sandbox.play.deployment import our_asset
from sandbox.play.telling import WATCHER, announced

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.play.stage import Stage

BY_CLOUDTRAIL: Final = "CloudTrail hands a call over in seconds, at times in minutes"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One source. `rules` are the only ones that it needs; `elsewhere` is what comes on top of it outside of this machine."""

    fault: Callable[[Stage], None]
    tell: Callable[[Stage], None] = lambda _: None
    rules: tuple[str, ...]
    watched: bool = False
    elsewhere: str = ""


def _annotation_gone(stage: Stage) -> None:
    patch = {"metadata": {"annotations": {aws_node.ROLE_KEY: None}}}
    stage.ground.patch(SERVICE_ACCOUNTS, aws_node.NAME, NAMESPACE, patch, "somebody")


def _update_without_role(stage: Stage) -> None:
    eks = stage.aws.client("eks", principal=OPERATOR)
    eks.update_addon(clusterName=CLUSTER, addonName="vpc-cni", addonVersion="v1.15.1-eksbuild.1")


def _associated_without_agent(stage: Stage) -> None:
    eks = stage.aws.client("eks", principal=OPERATOR)
    eks.create_pod_identity_association(clusterName=CLUSTER, namespace=NAMESPACE, serviceAccount=aws_node.NAME, roleArn=role_arn(ROLE))


def _bound_to_no_role(stage: Stage) -> None:
    path = binding_path(CLUSTER, NAMESPACE, aws_node.NAME)
    stage.aws.client("ssm").put_parameter(Name=path, Value=role_arn(f"{CLUSTER}-other"), Type="String", Overwrite=True)


SOURCES: Final[Mapping[str, Source]] = {
    "add-on call": Source(fault=_update_without_role, rules=("AddonCalls",), elsewhere=BY_CLOUDTRAIL),
    "pod identity call": Source(fault=_associated_without_agent, rules=("IdentityCalls",), elsewhere=BY_CLOUDTRAIL),
    "add-on event": Source(
        fault=_annotation_gone, tell=announced("addon-event"), rules=("AddonEvents",), elsewhere="EKS sends it at the end of the update"
    ),
    "CloudWatch alarm": Source(
        fault=_annotation_gone, tell=announced("alarm"), rules=("NodeAlarms",), elsewhere="the alarm's period is 60 s"
    ),
    "kubernetes-event-exporter": Source(
        fault=_annotation_gone,
        tell=telling.exported,
        rules=("KubernetesEvents",),
        elsewhere="the node controller waits for 50 s of silence",
    ),
    "audit log: node not ready": Source(
        fault=_annotation_gone,
        tell=telling.logged_not_ready,
        rules=("OwnEvents",),
        watched=True,
        elsewhere="a kubelet tells within 10 s, CloudWatch Logs delivers in seconds",
    ),
    "audit log: identity changed": Source(
        fault=_annotation_gone,
        tell=telling.logged_annotation_gone,
        rules=("OwnEvents",),
        watched=True,
        elsewhere="CloudWatch Logs delivers in seconds",
    ),
    "parameter changed": Source(fault=_bound_to_no_role, tell=telling.parameter_changed, rules=("ParameterChanges",), elsewhere="seconds"),
    "sweep": Source(fault=_annotation_gone, tell=announced("sweep"), rules=("OwnEvents",), elsewhere="up to 5 minutes until its turn"),
    "a person, by event": Source(fault=_annotation_gone, tell=announced("check-requested"), rules=("OwnEvents",)),
    "a person, by invocation": Source(fault=_annotation_gone, tell=telling.asked_directly, rules=()),
}


def leave_only(stage: Stage, source: Source) -> None:
    """Switch every rule off that the source does not need, and the node watcher on where it does."""
    events = stage.aws.client("events")
    for name in SUBSCRIPTIONS:
        if name not in source.rules:
            events.disable_rule(Name=name)
    if source.watched:
        stage.aws.roles.create(WATCHER)
        environment = {**stage.environment(), **stage.aws.environment(WATCHER)}
        stage.functions.add(LocalFunction(name=WATCHER, asset=our_asset(), handler=Function.NODE_WATCHER.handler, environment=environment))
