"""Events in the shapes that were recorded, told of the scenario's cluster and time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lambdas.contract.events import SWEEP_INPUT
from lambdas.contract.names import ALARM_PREFIX
from sandbox.simulation.scenario import lookup
from tests.events import event as recorded
from tests.over_fakes.ground import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

Event = dict[str, Any]


def _zulu(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _told(name: str, at: datetime, **detail: Any) -> Event:
    event = recorded(name)
    return {**event, "time": _zulu(at), "detail": {**event["detail"], **detail}}


def update_addon(at: datetime, *, version: str, role: str | None) -> Event:
    """The CloudTrail record of an UpdateAddon call by somebody's pipeline."""
    event = _told("call-update-addon-by-role", at, eventTime=_zulu(at))
    asked = {**event["detail"]["requestParameters"], "name": CLUSTER, "addonVersion": version}
    event["detail"]["requestParameters"] = {**asked, **({"serviceAccountRoleArn": role} if role else {})}
    return event


def check_requested(at: datetime) -> Event:
    """A person asks for a check of the whole cluster."""
    event = _told("check-requested-by-person", at, cluster=CLUSTER)
    del event["detail"]["serviceAccount"]
    return event


def own(kind: str, detail: Mapping[str, Any], at: datetime) -> Event:
    """One of our own events, as the bus brings it back to us."""
    return {**recorded("check-requested-by-sweep"), "detail-type": kind, "time": _zulu(at), "detail": dict(detail)}


def _node_not_ready(at: datetime) -> Event:
    since = _zulu(at - timedelta(seconds=30))
    return _told("node-not-ready", at, cluster=CLUSTER, since=since, occurredAt=_zulu(at))


def _alarm(at: datetime) -> Event:
    event = _told("alarm-node-metric", at, alarmName=f"{ALARM_PREFIX}{CLUSTER}")
    event["detail"]["state"]["timestamp"] = _zulu(at)
    for metric in event["detail"]["configuration"]["metrics"]:
        metric.get("metricStat", {}).get("metric", {}).get("dimensions", {}).update({"ClusterName": CLUSTER})
    return event


_MADE: Mapping[str, Callable[[datetime], Event | None]] = {
    "none": lambda _: None,
    "cloudtrail": lambda _: None,
    "check-requested": check_requested,
    "sweep": lambda _: dict(SWEEP_INPUT),
    "node-not-ready": _node_not_ready,
    "alarm": _alarm,
    "addon-event": lambda at: _told("addon-update-succeeded", at, clusterName=CLUSTER),
}


def announcement(name: str, at: datetime) -> Event | None:
    """The event of this name, or None where CloudTrail's announces it or nothing does.

    Raises:
        InvalidScenario: there is no event of that name.
    """
    return lookup(name, _MADE, "event")(at)
