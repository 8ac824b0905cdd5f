"""The daily digest: the clusters that have it switched on, and the incidents of their last day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lambdas.contract.settings import Digest, Floor
from lambdas.domain.incidents.incident import Incident, PastIncident
from lambdas.domain.snapshot.bindings import Parameter, bound_clusters, cluster_settings

DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class StillOpen:
    """An open incident and a sentence on what is broken now; the sentence is empty where nothing was read."""

    incident: Incident
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class Day:
    """The day that ends at `until` (aware UTC). `closed` are its incidents, newest first; `still_open` are the open ones, oldest first."""

    until: datetime
    clusters: int
    closed: tuple[PastIncident, ...]
    still_open: tuple[StillOpen, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the digest has no content."""
        return not self.closed and not self.still_open


def clusters_with_digest(parameters: Mapping[str, Parameter], existing: Iterable[str], floor: Floor) -> list[str]:
    """Sorted names of the clusters whose settings switch the digest on, among existing and bound clusters."""
    known = sorted({*existing, *bound_clusters(parameters)})
    return [name for name in known if cluster_settings(parameters, name, floor)[0].digest is Digest.DAILY]
