"""Kubernetes events that kubernetes-event-exporter or a similar tool publishes, unchanged or through the operator's own template.

Unchanged, the detail is the event with the cluster name from the exporter's configuration:

    {"version": "0", "id": "…", "detail-type": "Kubernetes Event", "source": "custom.kubernetes", "account": "111122223333",
     "time": "2026-09-27T21:06:47Z", "region": "eu-west-1", "resources": [],
     "detail": {"metadata": {"name": "ip-10-0-1-7.eu-west-1.compute.internal.17f", "namespace": "default", …}, "reason": "NodeNotReady",
                "message": "Node … status is now: NodeNotReady", "source": {"component": "node-controller"},
                "lastTimestamp": "2026-09-27T21:06:46Z", "count": 1, "type": "Normal", "clusterName": "prod-blue",
                "involvedObject": {"kind": "Node", "name": "ip-10-0-1-7.eu-west-1.compute.internal", …}}}

Through a template, the detail is the operator's map, such as `{"cluster": "prod-blue", "node": "…", "reason": "NodeNotReady"}`.
Sources: https://github.com/resmoio/kubernetes-event-exporter/blob/master/pkg/sinks/eventbridge.go
https://github.com/kubernetes/kubernetes/blob/master/pkg/controller/util/node/controller_utils.go
"""

from typing import Final

from lambdas.domain.errors import MalformedEvent
from lambdas.domain.requests.eks_arns import first_eks_arn
from lambdas.domain.requests.envelope import Envelope
from lambdas.domain.requests.request import CheckRequest, Ignored, Trigger
from lambdas.domain.untrusted_json import cluster_name, inside, label, moment, node_name, text

KIND: Final = "Kubernetes Event"
_REASON: Final = "NodeNotReady"
_CLUSTER_KEYS: Final = ("clusterName", "cluster", "cluster_name")
_NODE_KEYS: Final = ("node", "nodeName", "node_name")
_TIME_KEYS: Final = ("lastTimestamp", "eventTime", "time")


def parse(event: Envelope) -> CheckRequest | Ignored:
    """The cluster, and the node where the event is about one. The node controller also reports each pod of the node.

    Raises:
        MalformedEvent: the event names no cluster. The exporter needs the cluster's name in its configuration.
    """
    reason = text(event.detail, "reason")
    if reason != _REASON:
        return Ignored(f"Kubernetes event {label(reason) or 'without a reason'} says nothing about a node that is not Ready")
    happened = next((at for key in _TIME_KEYS if (at := moment(event.detail.get(key)))), event.at)
    return CheckRequest(
        trigger=Trigger.NODE_NOT_READY,
        occurred_at=min(happened, event.arrived_at),
        event_id=event.id,
        cluster=_cluster(event),
        node=_node(event),
        may_be_forged=True,
    )


def _cluster(event: Envelope) -> str:
    named = next((it for key in _CLUSTER_KEYS if (it := text(event.detail, key))), "")
    if not named:
        raise MalformedEvent("the Kubernetes event names no cluster: set clusterName in the exporter's configuration")
    # operators may give the ARN of the cluster as its name
    arn = first_eks_arn([named[:300]], account=event.account, region=event.region)
    return arn.cluster if arn else cluster_name(named, "the Kubernetes event's cluster")


def _node(event: Envelope) -> str | None:
    involved = inside(event.detail, "involvedObject")
    if text(involved, "kind") == "Node":
        return node_name(text(involved, "name"))
    return next((node for key in _NODE_KEYS if (node := node_name(event.detail.get(key)))), None)
