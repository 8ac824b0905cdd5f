"""The clusters of an account as the parameters and EKS know them: which to check, which nobody bound, and which are gone."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from lambdas.contract.parameters import binding_path
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.bindings import bound_clusters, has_default

MOST_NAMES = 20


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Names of clusters, sorted. `bound` are those to check; the others are only told of."""

    bound: tuple[str, ...] = ()
    unbound: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def fleet(paths: Collection[str], existing: Collection[str] | None, serves: Callable[[str], bool]) -> Fleet:
    """Compare what is bound with what is there.

    Args:
        paths: of all parameters.
        existing: the clusters that there are; None where they could not be listed, so that none counts as unbound or gone.
        serves: whether a cluster is ours to look after, and not another stack's.
    """
    bound, there = set(bound_clusters(paths)), set(existing or ())
    checked = bound | there if has_default(paths) else bound
    unbound, gone = there - checked, bound - there if existing is not None else set()
    return Fleet(bound=_ours(checked, serves), unbound=_ours(unbound, serves), gone=_ours(gone, serves))


def _ours(names: Iterable[str], serves: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if serves(name)))


def unbound_advice(unbound: Collection[str]) -> str:
    """How the clusters that nobody bound are bound, in a sentence."""
    path = binding_path("<cluster>", AWS_NODE.namespace, AWS_NODE.service_account)
    are = pluralize(len(unbound), "cluster has", "clusters have")
    return f"{are} no binding, so nothing is ever written there: write {path} with the role's ARN, or run irsa-remediator adopt"


def missing_clusters_advice(gone: Collection[str]) -> str:
    """What became of bindings whose cluster is not there, in a sentence."""
    are = pluralize(len(gone), "bound cluster is", "bound clusters are")
    return f"{are} not there: remove the bindings of those that are gone for good (irsa-remediator bindings unset)"
