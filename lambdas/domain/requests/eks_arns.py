"""Cluster and add-on ARNs at any place in an event."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_ARN: Final = re.compile(
    r"arn:aws[a-z-]{0,20}:eks:(?P<region>[a-z0-9-]{1,30}):(?P<account>[0-9]{12}):(?P<type>cluster|addon)/"
    r"(?P<cluster>[0-9A-Za-z][A-Za-z0-9_-]{0,99})(?:/(?P<addon>[A-Za-z0-9_-]{1,100})/[0-9a-f-]{1,40})?(?=[\s\"',;)\]}]|\Z)"
)
"""Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html"""


@dataclass(frozen=True)
class EksArn:
    """The names in an ARN of this account and region. `addon` is None for the ARN of a cluster."""

    cluster: str
    addon: str | None


def first_eks_arn(texts: Iterable[str], *, account: str, region: str) -> EksArn | None:
    """The first add-on ARN of this account and region, else the first cluster ARN, else None."""
    cluster: EksArn | None = None
    for text in texts:
        for match in _ARN.finditer(text):
            if (match["account"], match["region"]) != (account, region):
                continue
            if match["type"] == "addon" and match["addon"]:
                return EksArn(match["cluster"], match["addon"])
            if match["type"] == "cluster" and not match["addon"]:
                cluster = cluster or EksArn(match["cluster"], None)
    return cluster
