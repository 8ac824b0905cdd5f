"""The clusters of an account: which to check, which have no binding, and which no longer exist."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.contract.parameters import ServiceAccountRef, binding_path
from lambdas.contract.workloads import AWS_NODE
from lambdas.domain.incidents.incident import IdleState, Incident, is_in_future
from lambdas.domain.plurals import pluralize
from lambdas.domain.snapshot.bindings import bound_clusters, has_default

MOST_NAMES = 20
KNOWN_GOOD_MAX_AGE: Final = timedelta(minutes=30)
"""Maximum age of `known_good_at` before a sweep rewrites it. A write for each sweep would add a tenth to the price."""
SOUND_MAX_AGE: Final = KNOWN_GOOD_MAX_AGE + 3 * timedelta(minutes=SWEEP_RATE_MINUTES)
"""Maximum age of `known_good_at` of a sound cluster: it is rewritten by the sweep after half an hour, of which two may fail."""


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


@dataclass(frozen=True, kw_only=True)
class FleetCounts:
    """Clusters by state, and open incidents, at one time. A cluster is in one of the three states."""

    broken: int = 0
    unknown: int = 0
    sound: int = 0
    incidents: int = 0


def count_states(rows: Mapping[ServiceAccountRef, Incident | IdleState], now: datetime) -> FleetCounts:
    """Count the clusters of these ServiceAccounts, each with the row of its incident table.

    A cluster with an open incident is broken. It is sound only if a recent check found every ServiceAccount sound.
    """
    clusters: dict[str, list[Incident | IdleState]] = {}
    for target, row in rows.items():
        clusters.setdefault(target.cluster, []).append(row)
    broken = sum(any(isinstance(row, Incident) for row in own) for own in clusters.values())
    sound = sum(all(isinstance(row, IdleState) and _is_sound(row, now) for row in own) for own in clusters.values())
    incidents = sum(isinstance(row, Incident) for row in rows.values())
    return FleetCounts(broken=broken, unknown=len(clusters) - broken - sound, sound=sound, incidents=incidents)


def _is_sound(row: IdleState, now: datetime) -> bool:
    known_good = row.known_good_at
    return known_good is not None and now - known_good <= SOUND_MAX_AGE and not is_in_future(known_good, now)
