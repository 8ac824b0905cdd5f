"""Add-on events that EKS publishes directly.

AWS publishes the detail-types and no example of `detail`. This example follows EKS's other direct event (Fargate) and the API's field
names, so the parser treats every field as optional:

    {"version": "0", "id": "7bf73129-1428-4cd3-a780-95db273d1602", "detail-type": "EKS Addon Update Succeeded", "source": "aws.eks",
     "account": "111122223333", "time": "2026-09-27T21:06:58Z", "region": "eu-west-1",
     "resources": ["arn:aws:eks:eu-west-1:111122223333:addon/prod-blue/vpc-cni/9ec5e0d1-1111-2222-3333-444455556666"],
     "detail": {"clusterName": "prod-blue", "addonName": "vpc-cni"}}

Source: https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-eks.html
"""

from typing import Final

from lambdas.contract.workloads import owned_by
from lambdas.domain.requests.eks_arns import EksArn, first_eks_arn
from lambdas.domain.requests.envelope import Envelope
from lambdas.domain.requests.request import CheckRequest, Ignored, Trigger
from lambdas.domain.untrusted_json import cluster_name, label, text, texts_within

_CLUSTER_KEYS: Final = ("clusterName", "cluster_name", "cluster")
_ADDON_KEYS: Final = ("addonName", "addon_name", "addon")


def parse(event: Envelope) -> CheckRequest | Ignored:
    """The cluster and ServiceAccount of the add-on. Without a readable cluster: every bound cluster. Without an add-on: the whole cluster.

    Raises:
        MalformedEvent: the event names a cluster, and the name is not valid.
    """
    arn = first_eks_arn(texts_within(event.resources, event.detail), account=event.account, region=event.region)
    addon = _addon(event, arn)
    owned = owned_by(addon)
    if addon and owned is None:
        return Ignored(f"{event.kind} is about {label(addon)}, whose ServiceAccount is not supported")
    return CheckRequest(
        trigger=Trigger.ADDON_EVENT, occurred_at=event.at, event_id=event.id, cluster=_cluster(event, arn), service_account=owned
    )


def _addon(event: Envelope, arn: EksArn | None) -> str:
    named = next((name for key in _ADDON_KEYS if (name := text(event.detail, key))), "")
    return named or (arn.addon if arn and arn.addon else "")


def _cluster(event: Envelope, arn: EksArn | None) -> str | None:
    for key in _CLUSTER_KEYS:
        if named := text(event.detail, key):
            return cluster_name(named, f"detail.{key}")
    if arn:
        return arn.cluster
    # last, because `name` may be the add-on's name
    name = text(event.detail, "name")
    return cluster_name(name, "detail.name") if name and owned_by(name) is None else None
