"""Incidents by the beginning of their id, as messages print it, and in whose hands they are."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from cli.failures import Refused
from lambdas.adapters.incident_items import KEPT
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from cli.outside import Outside
    from lambdas.domain.incidents.incident import Incident, PastIncident

KEPT_FOR: Final = KEPT + timedelta(days=1)


def need_stack(outside: Outside) -> None:
    """Raises:
    Refused: no stack is deployed here, so there are no incidents.
    """
    if not outside.deployed:
        region = outside.environment.region
        raise Refused(
            f"no stack is deployed in {region}, or it may not be read", then="choose --region, --profile or --stack, or deploy it"
        )


def by_prefix(prefix: str, outside: Outside) -> Incident | PastIncident:
    """The one incident, open or closed, whose id begins so.

    Raises:
        Refused: there is none, or several.
    """
    need_stack(outside)
    there: list[Incident | PastIncident] = [*outside.register.open(), *outside.register.past(outside.now() - KEPT_FOR)]
    found = [item for item in there if item.id.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Refused(f"there is no incident {prefix!r}", then="irsa-remediator history lists those of the last 90 days")
    raise Refused(
        f"{prefix!r} is the beginning of {len(found)} incidents: {', '.join(item.id for item in found[:8])}", then="give more of the id"
    )


def in_whose_hands(it: Incident) -> str:
    """Who is to do something about an open incident: a person who has to answer or repairs it, the remediator, or nobody of ours."""
    if it.callback_id and not it.held_by_a_person:
        return f"it waits for an answer: irsa-remediator approve {it.id}"
    if it.held_by_a_person:
        return f"{plain(it.holder)} repairs it at a terminal"
    return "the remediator repairs it now" if it.acting else "the remediator watches it and changes nothing now"
