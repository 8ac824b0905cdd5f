"""`approve` and `reject`: answer an execution that waits, by its incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from cli import wiring
from cli.failures import SOUND, Refused
from cli.finding_incidents import by_prefix
from cli.output import progress, write
from lambdas.domain.errors import Conflict, NotFound
from lambdas.domain.incidents.incident import Incident

if TYPE_CHECKING:
    from cli.asked import Asked
    from cli.outside import Outside


def run(asked: Asked, prefix: str, *, approved: bool) -> int:
    """Answer once; whoever comes second, or too late, is told so."""
    outside = wiring.connect(asked)
    with progress("looking for the incident"):
        incident = waiting(prefix, outside)
    _answer(incident, outside, approved=approved)
    word = "approved" if approved else "rejected"
    document = {"command": "approve" if approved else "reject", "exitCode": SOUND, "incident": incident.id, "approved": approved}
    line = Text(f"{incident.id} {word}", style="green" if approved else "yellow").append(f" for {incident.target.key}", style="default")
    write(
        asked.output,
        document | {"by": outside.caller},
        line,
        Text(f"irsa-remediator history {incident.id}   shows how it goes on", style="dim"),
    )
    return SOUND


def waiting(prefix: str, outside: Outside) -> Incident:
    """The open incident that waits for an answer.

    Raises:
        Refused: it does not, or no longer.
    """
    found = by_prefix(prefix, outside)
    if not isinstance(found, Incident):
        raise Refused(f"incident {found.id} is closed: {found.outcome}", then=f"irsa-remediator history {found.id}")
    if not found.callback_id:
        raise Refused(f"incident {found.id} waits for no answer", then=f"irsa-remediator history {found.id}")
    return found


def _answer(incident: Incident, outside: Outside, *, approved: bool) -> None:
    late = Refused(
        f"incident {incident.id} no longer waits: somebody has answered, or the time for it has run out",
        then=f"irsa-remediator history {incident.id}",
    )
    try:
        outside.callbacks.answer(incident.callback_id or "", {"approved": approved, "by": outside.caller})
    except NotFound as error:
        raise late from error
    try:
        outside.incidents.mark_asked(incident, None)  # so that a second answer is told that it comes late
    except Conflict:
        return
