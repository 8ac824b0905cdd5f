"""Names of clusters that a person may have meant."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from lambdas.contract.names import ANY_CLUSTER
from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from collections.abc import Collection

    from cli.clients.dependencies import Dependencies


def existing_clusters(dependencies: Dependencies) -> frozenset[str] | None:
    """Return the names of the existing clusters; None where the caller may not list them."""
    try:
        return frozenset(dependencies.readers.eks.clusters())
    except RemediatorError:
        return None


def suggestion(name: str, existing: Collection[str]) -> str:
    """Return a question that names the existing cluster with the nearest name; "" where no name is near."""
    near = get_close_matches(name, sorted(existing), 1)
    return f"did you mean {near[0]}?" if near else ""


def missing_cluster(name: str, existing: frozenset[str] | None) -> str:
    """Return what is wrong with the name of a cluster; "" where it exists, is `_default`, or where clusters cannot be listed."""
    if existing is None or name in existing or name == ANY_CLUSTER:
        return ""
    return "; ".join(filter(None, (NO_SUCH_CLUSTER, suggestion(name, existing))))


NO_SUCH_CLUSTER: Final = "this account and region have no such cluster"
