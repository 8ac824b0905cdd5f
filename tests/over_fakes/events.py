"""Recorded events with the cluster and the time of a scenario."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lambdas.contract.events import SWEEP_INPUT
from lambdas.contract.names import ALARM_PREFIX
from sandbox.aws import cloudtrail
from sandbox.simulation.scenario import lookup
from tests.events import event as recorded
from tests.over_fakes.scenario_world import BOUND_ROLE, CLUSTER
from tests.world import REGION, role_arn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tests.over_fakes.scenario_world import ScenarioWorld

Event = dict[str, Any]


def _zulu(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _recorded(name: str, at: datetime, **detail: Any) -> Event:
    event = recorded(name)
    return {**event, "time": _zulu(at), "detail": {**event["detail"], **detail}}


def update_addon(at: datetime, *, version: str, role: str | None) -> Event:
    """The CloudTrail record of an UpdateAddon call by a pipeline."""
    event = _recorded("call-update-addon-by-role", at, eventTime=_zulu(at))
    asked = {**event["detail"]["requestParameters"], "name": CLUSTER, "addonVersion": version}
    event["detail"]["requestParameters"] = {**asked, **({"serviceAccountRoleArn": role} if role else {})}
    return event


def check_requested(at: datetime) -> Event:
    """A person's request to check the whole cluster."""
    event = _recorded("check-requested-by-person", at, cluster=CLUSTER)
    del event["detail"]["serviceAccount"]
    return event


def own(kind: str, detail: Mapping[str, Any], at: datetime) -> Event:
    """One of our own events, as the bus delivers it."""
    return {**recorded("check-requested-by-sweep"), "detail-type": kind, "time": _zulu(at), "detail": dict(detail)}


def _node_not_ready(at: datetime) -> Event:
    since = _zulu(at - timedelta(seconds=30))
    return _recorded("node-not-ready", at, cluster=CLUSTER, since=since, occurredAt=_zulu(at))


def _alarm(at: datetime) -> Event:
    event = _recorded("alarm-node-metric", at, alarmName=f"{ALARM_PREFIX}{CLUSTER}")
    event["detail"]["state"]["timestamp"] = _zulu(at)
    for metric in event["detail"]["configuration"]["metrics"]:
        metric.get("metricStat", {}).get("metric", {}).get("dimensions", {}).update({"ClusterName": CLUSTER})
    return event


def refused_call(world: ScenarioWorld) -> Event:
    """The CloudTrail record of the call that AWS refuses to the bound role, or to the first pod that is not ready."""
    provider = world.cluster.facts.provider_arn or ""
    if world.scenario.refused_call:
        return _at(
            world.now, cloudtrail.refused_call(world.scenario.refused_call, role_arn=BOUND_ROLE, region=REGION, provider_arn=provider)
        )
    pod = next(pod.facts for pod in world.cluster.pods.values() if not pod.facts.ready)
    if world.sts_code and pod.role_arn:
        subject = f"system:serviceaccount:{world.workload.namespace}:{world.workload.service_account}"
        code = world.sts_code
        event = cloudtrail.refused_token(subject, role_arn=pod.role_arn, provider_arn=provider, region=REGION, error_code=code)
    else:
        refused = world.scenario.refused_calls(world.version, of_node_role=pod.role_arn is None)
        first = "ec2:CreateNetworkInterface" if pod.role_arn else "ec2:DescribeNetworkInterfaces"  # as in the sandbox
        call = refused[0].call if refused else first
        event = cloudtrail.refused_call(
            call.removeprefix("ec2:"),
            role_arn=pod.role_arn or role_arn("node"),
            region=REGION,
            provider_arn=provider if pod.role_arn else "",
        )
    return _at(world.now, event)


def _at(now: datetime, event: Event) -> Event:
    return {**event, "time": _zulu(now), "detail": {**event["detail"], "eventTime": _zulu(now)}}


_MADE: Mapping[str, Callable[[datetime], Event | None]] = {
    "none": lambda _: None,
    "cloudtrail": lambda _: None,
    "check-requested": check_requested,
    "sweep": lambda _: dict(SWEEP_INPUT),
    "node-not-ready": _node_not_ready,
    "alarm": _alarm,
    "addon-event": lambda at: _recorded("addon-update-succeeded", at, clusterName=CLUSTER),
}


def trigger_event(name: str, at: datetime) -> Event | None:
    """The event of this name; None where CloudTrail reports the change, or where no event does.

    Raises:
        InvalidScenario: there is no event of that name.
    """
    return lookup(name, _MADE, "event")(at)
