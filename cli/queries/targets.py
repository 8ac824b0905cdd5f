"""Selection of clusters and ServiceAccounts from the options of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cli.errors import CommandError
from lambdas.contract.parameters import KUBERNETES_NAME, ServiceAccountRef, valid_cluster
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.snapshot.bindings import bound_clusters, bound_targets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.clients.dependencies import Dependencies

MAX_CLUSTERS_IN_ERROR: Final = 20


@dataclass(frozen=True, kw_only=True)
class TargetSelection:
    """Clusters by name, or all of the region; one ServiceAccount, or every bound one."""

    clusters: tuple[str, ...] = ()
    all_clusters: bool = False
    service_account: str = ""


def targets(selection: TargetSelection, dependencies: Dependencies) -> list[ServiceAccountRef]:
    """Return the selected ServiceAccounts by cluster. A cluster without bindings contributes aws-node.

    Raises:
        CommandError: no cluster is named and the region has several, or a name is invalid.
    """
    names = clusters(selection, dependencies)
    if selection.service_account:
        namespace, name = split_service_account(selection.service_account)
        return [ServiceAccountRef(cluster, namespace, name) for cluster in names]
    paths = list(dependencies.readers.parameters.load())
    aws_node = AWS_NODE
    return [
        target
        for cluster in names
        for target in bound_targets(paths, [cluster]) or (ServiceAccountRef(cluster, aws_node.namespace, aws_node.service_account),)
    ]


def clusters(selection: TargetSelection, dependencies: Dependencies) -> Sequence[str]:
    """Return the names of the selected clusters. `all_clusters` includes bound clusters that no longer exist, so that they are reported."""
    if selection.all_clusters and selection.clusters:
        raise CommandError("--all and --cluster exclude each other", next_step="give one of them")
    if selection.clusters:
        for name in selection.clusters:
            if not valid_cluster(name):
                raise CommandError(f"{name!r} is not a valid EKS cluster name", next_step="list the clusters with `aws eks list-clusters`")
        return list(dict.fromkeys(selection.clusters))
    existing = sorted(dependencies.readers.eks.clusters())
    if selection.all_clusters:
        return sorted({*existing, *bound_clusters(dependencies.readers.parameters.load())})
    if len(existing) == 1:
        return existing
    region = dependencies.environment.region
    if not existing:
        raise CommandError(f"{region} has no EKS cluster", next_step="choose another --region, or another account with --profile")
    names = ", ".join(existing[:MAX_CLUSTERS_IN_ERROR]) + (", …" if len(existing) > MAX_CLUSTERS_IN_ERROR else "")
    raise CommandError(f"{region} has {len(existing)} clusters: {names}", next_step="name one with --cluster, or use --all")


def single_target(selection: TargetSelection, dependencies: Dependencies) -> ServiceAccountRef:
    """Return the single ServiceAccount that a command changes.

    Raises:
        CommandError: the selection contains several.
    """
    selected = targets(selection, dependencies)
    if len(selected) > 1:
        names = ", ".join(f"{target.namespace}/{target.name}" for target in selected)
        raise CommandError(
            f"cluster {selected[0].cluster} has several bound ServiceAccounts: {names}", next_step="name one with --service-account"
        )
    return selected[0]


def split_service_account(text: str) -> tuple[str, str]:
    """Return namespace and name of `namespace/name`.

    Raises:
        CommandError: the text has another form.
    """
    namespace, _, name = text.partition("/")
    if not (KUBERNETES_NAME.match(namespace) and KUBERNETES_NAME.match(name)):
        raise CommandError(f"{text!r} is not a ServiceAccount", next_step="write NAMESPACE/NAME, such as kube-system/aws-node")
    return namespace, name
