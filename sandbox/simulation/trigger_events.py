"""The events that trigger the checker, as EventBridge or the schedule delivers them."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lambdas.contract.events import SWEEP_INPUT, OwnEvent
from lambdas.contract.names import ALARM_PREFIX, EVENT_SOURCE
from sandbox.aws import cloudtrail
from sandbox.aws.cloudtrail import zulu
from sandbox.aws.local_aws import ACCOUNT, REGION
from sandbox.controllers.vpc_cni import Denied, NoCredentials
from sandbox.simulation.aws_account import CHECKER, CLUSTER, NODE_ROLE, role_arn
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import lookup
from sandbox.simulation.scenario_result import ScenarioTimeout

Detail = Mapping[str, Any]


def check_request() -> dict[str, Any]:
    """A person requests a check of the whole cluster."""
    now = datetime.now(UTC).isoformat()
    return _own(
        OwnEvent.CHECK_REQUESTED, {"schemaVersion": "1", "cluster": CLUSTER, "trigger": "person", "occurredAt": now, "eventId": "play"}
    )


def _own(kind: OwnEvent, detail: Detail) -> dict[str, Any]:
    return event(EVENT_SOURCE, kind, detail)


def event(source: str, kind: str, detail: Detail, resources: Sequence[str] = ()) -> dict[str, Any]:
    """An event of the current time in the shape that EventBridge delivers."""
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": str(kind),
        "source": source,
        "account": ACCOUNT,
        "time": zulu(datetime.now(UTC)),
        "region": REGION,
        "resources": list(resources),
        "detail": dict(detail),
    }


def _alarm() -> dict[str, Any]:
    name = f"{ALARM_PREFIX}{CLUSTER}"
    now = zulu(datetime.now(UTC))
    metric = {"namespace": "ContainerInsights", "name": "cluster_failed_node_count", "dimensions": {"ClusterName": CLUSTER}}
    detail = {
        "alarmName": name,
        "state": {"value": "ALARM", "reason": "Threshold Crossed", "timestamp": now},
        "previousState": {"value": "OK", "timestamp": now},
        "configuration": {"metrics": [{"id": "m1", "metricStat": {"metric": metric, "period": 60, "stat": "Maximum"}, "returnData": True}]},
    }
    return event("aws.cloudwatch", "CloudWatch Alarm State Change", detail, [f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}"])


def _refused_call(env: SandboxEnvironment) -> dict[str, Any]:
    """The CloudTrail record of the call that AWS refuses to the first pod of the network plug-in for which it refuses one.

    Raises:
        ScenarioTimeout: AWS refuses no call to any pod, so that CloudTrail has no record.
    """
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{env.issuer.removeprefix('https://')}"
    for pod, role, verdict in env.plugin_verdicts():
        match verdict:
            case Denied(api):
                call = api.removeprefix("ec2:")
                used = {"role_arn": role, "provider_arn": provider} if role else {"role_arn": role_arn(NODE_ROLE)}
                return cloudtrail.refused_call(call, region=REGION, **used)
            case NoCredentials(code=code) if code and role:
                subject = f"system:serviceaccount:{pod['metadata']['namespace']}:{pod['spec']['serviceAccountName']}"
                return cloudtrail.refused_token(subject, role_arn=role, provider_arn=provider, region=REGION, error_code=code)
    raise ScenarioTimeout("AWS refuses no call to a pod of the network plug-in, so that CloudTrail records no refusal")


def announcement(name: str, env: SandboxEnvironment) -> dict[str, Any] | None:
    """The event with this name; None if CloudTrail sends the event, or if no event is sent.

    Raises:
        InvalidScenario: there is no event with this name.
    """
    now = zulu(datetime.now(UTC))
    node = {"schemaVersion": "1", "cluster": CLUSTER, "cause": "cni", "count": 1, "nodes": ["n"], "since": now, "occurredAt": now}
    events: Mapping[str, Callable[[], dict[str, Any] | None]] = {
        "none": lambda: None,
        "cloudtrail": lambda: None,
        "check-requested": check_request,
        "sweep": lambda: dict(SWEEP_INPUT),
        "node-not-ready": lambda: _own(OwnEvent.NODE_NOT_READY, node),
        "alarm": _alarm,
        "refused-call": lambda: _refused_call(env),
        "addon-event": lambda: event("aws.eks", "EKS Addon Update Succeeded", {"clusterName": CLUSTER, "addonName": "vpc-cni"}),
    }
    return lookup(name, events, "event")()


def announce(env: SandboxEnvironment, name: str) -> str:
    """Put the event on the bus after the held ones, or invoke the checker for a sweep as the schedule does; returns a sentence."""
    events = announcement(name, env)
    env.bus.release()
    if events is None:
        return ""
    if name == "sweep":
        env.aws.client("lambda").invoke(FunctionName=CHECKER, InvocationType="Event", Payload=json.dumps(events))
        return "the schedule starts a sweep"
    env.bus.put(events)
    return f"event: {events['detail-type']}"
