"""Which ServiceAccounts a command is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.failures import Refused
from lambdas.contract.parameters import KUBERNETES_NAME, ServiceAccountRef, valid_cluster
from lambdas.contract.workloads import KNOWN
from lambdas.domain.snapshot.bindings import bound_clusters, bound_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.outside import Outside

MOST_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for: clusters by name, or all of the region; one ServiceAccount, or every one that is bound."""

    clusters: tuple[str, ...] = ()
    every: bool = False
    service_account: str = ""


def targets(wanted: Wanted, outside: Outside) -> list[ServiceAccountRef]:
    """The ServiceAccounts to look at, by cluster; aws-node where a cluster has no binding.

    Raises:
        Refused: nothing was chosen and there are several clusters, or a name is none.
    """
    chosen = clusters(wanted, outside)
    if wanted.service_account:
        namespace, name = split(wanted.service_account)
        return [ServiceAccountRef(cluster, namespace, name) for cluster in chosen]
    paths = list(outside.readers.parameters.load())
    aws_node = KNOWN[0]
    return [
        target
        for cluster in chosen
        for target in bound_targets(paths, [cluster]) or (ServiceAccountRef(cluster, aws_node.namespace, aws_node.service_account),)
    ]


def clusters(wanted: Wanted, outside: Outside) -> Sequence[str]:
    """The clusters by name; with `every` also those that are bound and gone, since somebody expects them."""
    if wanted.every and wanted.clusters:
        raise Refused("--all and --cluster exclude each other", then="give one of them")
    if wanted.clusters:
        for name in wanted.clusters:
            if not valid_cluster(name):
                raise Refused(f"{name!r} is no name of an EKS cluster", then="`aws eks list-clusters` lists them")
        return list(dict.fromkeys(wanted.clusters))
    there = sorted(outside.readers.eks.clusters())
    if wanted.every:
        return sorted({*there, *bound_clusters(outside.readers.parameters.load())})
    if len(there) == 1:
        return there
    region = outside.environment.region
    if not there:
        raise Refused(f"there is no EKS cluster in {region}", then="choose another --region, or another account with --profile")
    named = ", ".join(there[:MOST_NAMED]) + (", …" if len(there) > MOST_NAMED else "")
    raise Refused(f"{region} has {len(there)} clusters: {named}", then="name one with --cluster, or take --all")


def one(wanted: Wanted, outside: Outside) -> ServiceAccountRef:
    """The single ServiceAccount that a command changes.

    Raises:
        Refused: the choice leaves several.
    """
    found = targets(wanted, outside)
    if len(found) > 1:
        named = ", ".join(f"{item.namespace}/{item.name}" for item in found)
        raise Refused(f"cluster {found[0].cluster} has several bound ServiceAccounts: {named}", then="name one with --service-account")
    return found[0]


def split(text: str) -> tuple[str, str]:
    """`namespace/name` of a ServiceAccount.

    Raises:
        Refused: it is none.
    """
    namespace, _, name = text.partition("/")
    if not (KUBERNETES_NAME.match(namespace) and KUBERNETES_NAME.match(name)):
        raise Refused(f"{text!r} is no ServiceAccount", then="write NAMESPACE/NAME, such as kube-system/aws-node")
    return namespace, name
