"""The bound ServiceAccounts that a refused call concerns."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from lambdas.application.readers import Readers, read_optional
from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.requests.request import CheckRequest, Refusal
from lambdas.domain.snapshot.bindings import bound_clusters, bound_targets, has_default
from lambdas.domain.snapshot.snapshot import Binding, ClusterFacts

MOST_CLUSTERS: Final = 20
"""The most clusters whose OIDC provider is read for one event. Their descriptions are cached."""


def concerned_targets(
    refusal: Refusal, request: CheckRequest, readers: Readers, is_served: Callable[[str], bool]
) -> tuple[ServiceAccountRef, ...]:
    """The bound ServiceAccounts that the refusal concerns, sorted; empty where no binding names its role or ServiceAccount.

    Raises:
        TransientError: the bindings or the clusters could not be listed.
    """
    parameters = readers.parameters.load()
    if request.cluster:
        return tuple(target for target in bound_targets(parameters, [request.cluster]) if is_served(target.cluster))
    clusters = readers.eks.clusters() if has_default(parameters) else bound_clusters(parameters)
    bound = bound_targets(parameters, [cluster for cluster in clusters if is_served(cluster)])
    if request.service_account:
        named = [target for target in bound if (target.namespace, target.name) == request.service_account]
        return tuple(_of_provider(refusal, named, readers, is_required=True))

    def roles(target: ServiceAccountRef) -> tuple[str | None, ...]:
        binding = readers.binding(parameters, target)
        return (binding.role_arn, binding.target_role_arn) if isinstance(binding, Binding) else ()

    if users := [target for target in bound if refusal.role_arn and refusal.role_arn in roles(target)]:
        return tuple(_of_provider(refusal, users, readers, is_required=False))
    # aws-node without its annotation uses the role of the node. The record names no cluster, so each bound aws-node may be the caller.
    cni = (AWS_NODE.namespace, AWS_NODE.service_account)
    is_node_role = refusal.is_by_cni and not refusal.provider_arn
    return tuple(target for target in bound if is_node_role and (target.namespace, target.name) == cni)[:MOST_CLUSTERS]


def _of_provider(refusal: Refusal, targets: list[ServiceAccountRef], readers: Readers, *, is_required: bool) -> Iterator[ServiceAccountRef]:
    """The targets in clusters whose OIDC provider the refusal names. The record of STS names the issuer and not the cluster."""
    if not refusal.provider_arn and not is_required:
        yield from targets[:MOST_CLUSTERS]
        return
    for target in targets[:MOST_CLUSTERS]:
        facts = read_optional(partial(readers.eks.cluster, target.cluster))
        if isinstance(facts, ClusterFacts) and _issuer(facts.provider_arn or "") == _issuer(refusal.provider_arn):
            yield target


def _issuer(provider_arn: str) -> str:
    return provider_arn.partition("oidc-provider/")[2]
