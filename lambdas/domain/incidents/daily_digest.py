"""The daily digest: which clusters ask for one, and what their last day came to."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lambdas.contract.parameters import ServiceAccountRef
from lambdas.contract.settings import Digest, read_settings
from lambdas.contract.workloads import KNOWN
from lambdas.domain.incidents.incident import Incident, PastIncident
from lambdas.domain.ports import IncidentsPort, Parameter
from lambdas.domain.snapshot.bindings import bound_clusters, bound_targets

DAY: Final = timedelta(hours=24)
MOST_LOOKED_AT: Final = 20
"""Open incidents that are looked at for the digest; more of them are one fault of many clusters, which a few tell as well."""


@dataclass(frozen=True, kw_only=True)
class StillOpen:
    """An open incident, and what is broken now in a sentence; empty where nobody looked, or nothing could be read."""

    incident: Incident
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class Day:
    """The day that ends `until` (aware UTC). `closed` are its incidents, newest first, `still_open` those open now, oldest first."""

    until: datetime
    clusters: int
    closed: tuple[PastIncident, ...]
    still_open: tuple[StillOpen, ...]

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to tell."""
        return not self.closed and not self.still_open


def clusters_asking(parameters: Mapping[str, Parameter], existing: Iterable[str]) -> list[str]:
    """Clusters whose settings ask for a digest, by name: among those that exist and those that have a binding."""
    values = {path: item.value for path, item in parameters.items()}
    known = sorted({*existing, *bound_clusters(parameters)})
    return [name for name in known if read_settings(values, name)[0].digest is Digest.DAILY]


def summed_up(
    until: datetime,
    clusters: Iterable[str],
    parameters: Mapping[str, Parameter],
    incidents: IncidentsPort,
    look: Callable[[ServiceAccountRef], str],
) -> Day:
    """Read the day of every bound ServiceAccount of the clusters, and of aws-node, which is watched without a binding too.

    Args:
        look: what is broken with this ServiceAccount now, in a sentence; it is asked about the first open incidents alone.

    Raises:
        TransientError: the table did not answer.
    """
    named = list(clusters)
    known = {ServiceAccountRef(item, KNOWN[0].namespace, KNOWN[0].service_account) for item in named}
    targets = sorted(known | set(bound_targets(parameters, named)))
    closed = [item for target in targets for item in incidents.history(target, until - DAY) if item.closed_at < until]
    opened = sorted((it for target in targets if (it := incidents.get(target))), key=lambda item: (item.opened_at, item.id))
    return Day(
        until=until,
        clusters=len(named),
        closed=tuple(sorted(closed, key=lambda item: (item.closed_at, item.id), reverse=True)),
        still_open=tuple(
            StillOpen(incident=item, sentence=look(item.target) if i < MOST_LOOKED_AT else "") for i, item in enumerate(opened)
        ),
    )
