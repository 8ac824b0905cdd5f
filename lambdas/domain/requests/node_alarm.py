"""CloudWatch alarms on the number of failed nodes.

    {"version": "0", "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92", "detail-type": "CloudWatch Alarm State Change",
     "source": "aws.cloudwatch", "account": "111122223333", "time": "2026-10-02T17:04:40Z", "region": "eu-west-1",
     "resources": ["arn:aws:cloudwatch:eu-west-1:111122223333:alarm:eks-irsa-remediator-nodes-prod-blue"],
     "detail": {"alarmName": "eks-irsa-remediator-nodes-prod-blue",
                "state": {"value": "ALARM", "timestamp": "2026-10-02T17:04:40.985+0000"},
                "configuration": {"metrics": [{"id": "m1", "metricStat": {"period": 60, "stat": "Maximum", "metric":
                   {"namespace": "ContainerInsights", "name": "cluster_failed_node_count", "dimensions": {"ClusterName":
                   "prod-blue"}}}}]}}}

A composite alarm has an `alarmRule` and no metrics. A math alarm may have metrics of several clusters. Their names give the cluster.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
"""

from collections.abc import Mapping
from typing import Any, Final

from lambdas.contract.names import ALARM_PREFIX
from lambdas.domain.requests.envelope import Envelope
from lambdas.domain.requests.request import CheckRequest, Ignored, Trigger
from lambdas.domain.untrusted_json import cluster_name, inside, label, moment, node_name, text

_MOST_METRICS: Final = 100
"""An alarm has at most ten metrics. The limit leaves room and bounds a forged event."""


def parse(event: Envelope) -> CheckRequest | Ignored:
    """The cluster whose nodes the alarm counts.

    Raises:
        MalformedEvent: neither a dimension nor the rest of the alarm's name is a cluster.
    """
    name, state = text(event.detail, "alarmName"), text(event.detail, "state", "value")
    if not name.startswith(ALARM_PREFIX):
        return Ignored(f"alarm {label(name) or 'without a name'} is none of ours")
    if state != "ALARM":
        return Ignored(f"alarm {label(name)} is {label(state) or 'in no state'}, not ALARM")
    dimensions = _dimensions(event)
    clusters = {dimension["ClusterName"] for dimension in dimensions if isinstance(dimension.get("ClusterName"), str)}
    return CheckRequest(
        trigger=Trigger.NODE_ALARM,
        occurred_at=min(moment(inside(event.detail, "state", "timestamp")) or event.at, event.arrived_at),
        event_id=event.id,
        cluster=cluster_name(clusters.pop() if len(clusters) == 1 else name.removeprefix(ALARM_PREFIX), "the alarm's dimension or name"),
        node=next((node for dimension in dimensions if (node := node_name(dimension.get("NodeName")))), None),
    )


def _dimensions(event: Envelope) -> list[Mapping[str, Any]]:
    metrics = inside(event.detail, "configuration", "metrics")
    found = (
        [inside(metric, "metricStat", "metric", "dimensions") for metric in metrics[:_MOST_METRICS]] if isinstance(metrics, list) else []
    )
    return [item for item in found if isinstance(item, Mapping)]
