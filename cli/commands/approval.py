"""`irsa-remediator approve` and `reject`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError, ExitCode
from cli.options import GlobalOptions
from cli.output import progress, write

if TYPE_CHECKING:
    from cli.clients.dependencies import Dependencies
    from lambdas.domain.incidents.incident import Incident

IncidentId = Annotated[str, typer.Argument(metavar="INCIDENT", help="Incident id, or the prefix that messages print.", show_default=False)]


def approve(options: GlobalOptions, *, incident: IncidentId) -> int:
    """Approve a pending repair.

    The history records your ARN.

    Example: irsa-remediator approve 7f3a9c21
    """
    return _answer(options, incident, approved=True)


def reject(options: GlobalOptions, *, incident: IncidentId) -> int:
    """Reject a pending repair.

    Nothing is changed. The history records your ARN.

    Example: irsa-remediator reject 7f3a9c21
    """
    return _answer(options, incident, approved=False)


def _answer(options: GlobalOptions, prefix: str, *, approved: bool) -> ExitCode:
    from rich.text import Text

    from cli.clients import connection

    dependencies = connection.connect(options)
    with progress("reading the incident"):
        incident = _pending_incident(prefix, dependencies)
    _send(incident, dependencies, approved=approved)
    command, state, style = ("approve", "approved", "green") if approved else ("reject", "rejected", "yellow")
    write(
        options.output,
        {"command": command, "exitCode": ExitCode.OK, "incident": incident.id, "approved": approved, "by": dependencies.caller},
        Text(f"{incident.id} {state}", style=style).append(f" for {incident.target.key}", style="default"),
        Text(f"irsa-remediator history {incident.id}   shows the progress", style="dim"),
    )
    return ExitCode.OK


def _pending_incident(prefix: str, dependencies: Dependencies) -> Incident:
    """Return the open incident that waits for approval.

    Raises:
        CommandError: the incident is closed, or does not wait for approval.
    """
    from cli.queries.incidents import find_incident
    from lambdas.domain.incidents.incident import Incident

    incident = find_incident(prefix, dependencies)
    next_step = f"irsa-remediator history {incident.id}"
    if not isinstance(incident, Incident):
        raise CommandError(f"incident {incident.id} is closed: {incident.outcome}", next_step=next_step)
    if not incident.callback_id:
        raise CommandError(f"incident {incident.id} does not wait for approval", next_step=next_step)
    return incident


def _send(incident: Incident, dependencies: Dependencies, *, approved: bool) -> None:
    from lambdas.domain.errors import Conflict, NotFound

    try:
        dependencies.callbacks.answer(incident.callback_id or "", {"approved": approved, "by": dependencies.caller})
    except NotFound as error:
        text = f"incident {incident.id} no longer waits for approval: it was answered, or the approval timed out"
        raise CommandError(text, next_step=f"irsa-remediator history {incident.id}") from error
    try:
        dependencies.incidents.mark_approval_requested(incident, None)  # a second answer is rejected then
    except Conflict:
        return
