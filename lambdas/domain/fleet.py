"""The clusters of an account: which to check, which have no binding, and which no longer exist."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from lambdas.contract.parameters import binding_path
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.bindings import bound_clusters, has_default

MOST_NAMES = 20


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Sorted names of clusters. `bound` clusters are checked; the others are only reported."""

    bound: tuple[str, ...] = ()
    unbound: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def fleet(paths: Collection[str], existing: Collection[str] | None, serves: Callable[[str], bool]) -> Fleet:
    """Compare the bindings with the existing clusters.

    Args:
        paths: of all parameters.
        existing: names of the existing clusters; None where they could not be listed, so that none counts as unbound or gone.
        serves: whether this stack serves a cluster. Another stack may serve others in the same account and region.
    """
    bound, there = set(bound_clusters(paths)), set(existing or ())
    checked = bound | there if has_default(paths) else bound
    unbound, gone = there - checked, bound - there if existing is not None else set()
    return Fleet(bound=_ours(checked, serves), unbound=_ours(unbound, serves), gone=_ours(gone, serves))


def _ours(names: Iterable[str], serves: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if serves(name)))


def unbound_advice(unbound: Collection[str]) -> str:
    """A sentence on how to bind the clusters that have no binding."""
    path = binding_path("<cluster>", AWS_NODE.namespace, AWS_NODE.service_account)
    are = pluralize(len(unbound), "cluster has", "clusters have")
    return f"{are} no binding, so nothing is ever written there: write {path} with the role's ARN, or run irsa-remediator adopt"


def missing_clusters_advice(gone: Collection[str]) -> str:
    """A sentence on bindings whose cluster does not exist."""
    are = pluralize(len(gone), "bound cluster is", "bound clusters are")
    return f"{are} not there: remove the bindings of those that are gone for good (irsa-remediator bindings unset)"
