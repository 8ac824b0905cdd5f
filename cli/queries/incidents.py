"""Find incidents by the beginning of their id, and describe their state and timeline."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cli.errors import CommandError
from lambdas.adapters.incident_items import HISTORY_RETENTION
from lambdas.notifications.escape import plain
from lambdas.notifications.timeline import TimelineRow, timeline

if TYPE_CHECKING:
    from cli.clients.dependencies import Dependencies
    from lambdas.domain.incidents.incident import Incident, PastIncident

RETENTION: Final = HISTORY_RETENTION + timedelta(days=1)


def require_stack(dependencies: Dependencies) -> None:
    """Raise where no stack is deployed.

    Raises:
        CommandError: no stack is deployed, so no incidents are stored.
    """
    if not dependencies.is_deployed:
        region = dependencies.environment.region
        next_step = "choose --region, --profile or --stack, or deploy the stack"
        raise CommandError(f"no stack is deployed in {region}, or you may not read it", next_step=next_step)


def find_incident(prefix: str, dependencies: Dependencies) -> Incident | PastIncident:
    """Return the one incident, open or closed, whose id starts with the prefix.

    Raises:
        CommandError: no incident matches, or several do.
    """
    require_stack(dependencies)
    past = dependencies.incident_list.past(dependencies.now() - RETENTION)
    incidents: list[Incident | PastIncident] = [*dependencies.incident_list.open(), *past]
    matches = [incident for incident in incidents if incident.id.startswith(prefix)]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise CommandError(f"no incident has the id {prefix!r}", next_step="list the incidents with `irsa-remediator history --days 90`")
    ids = ", ".join(incident.id for incident in matches[:8])
    raise CommandError(f"{len(matches)} incidents have an id that starts with {prefix!r}: {ids}", next_step="give more of the id")


def incident_status(incident: Incident) -> str:
    """Say who works on an open incident: a person who repairs it or has to approve, the remediator, or no one."""
    if incident.is_held_by_person:
        return f"{plain(incident.holder)} repairs it at a terminal"
    if incident.callback_id:
        return f"the repair waits for approval: irsa-remediator approve {incident.id}"
    return "the remediator repairs it now" if incident.repairing else "the remediator watches it and changes nothing now"


def incident_timeline(incident: PastIncident) -> tuple[TimelineRow, ...]:
    """Return the stored timeline of a closed incident."""
    return timeline(incident.details.timeline)
