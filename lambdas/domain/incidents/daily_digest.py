"""The daily digest: which clusters ask for one, and what their last day came to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from lambdas.contract.settings import Digest, read_settings
from lambdas.domain.incidents.incident import Incident, PastIncident
from lambdas.domain.snapshot.bindings import Parameter, bound_clusters

DAY: Final = timedelta(hours=24)


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
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not self.closed and not self.still_open


def clusters_with_digest(parameters: Mapping[str, Parameter], existing: Iterable[str]) -> list[str]:
    """Clusters whose settings ask for a digest, by name: among those that exist and those that have a binding."""
    values = {path: item.value for path, item in parameters.items()}
    known = sorted({*existing, *bound_clusters(parameters)})
    return [name for name in known if read_settings(values, name)[0].digest is Digest.DAILY]
