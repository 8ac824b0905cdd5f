"""The table of incidents: what the command line keeps in memory, with troubles."""

from __future__ import annotations

from cli.clients.local_incidents import LocalIncidents
from lambdas.domain.ports import IncidentsPort
from tests.fakes.meeting import meets_troubles
from tests.world import World


@meets_troubles(IncidentsPort, "incidents")
class FakeIncidents(LocalIncidents):
    """Incidents and history by ServiceAccount: tests read `rows`."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__()
        self._world = world or World()
