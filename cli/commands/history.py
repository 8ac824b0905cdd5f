"""`irsa-remediator history`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.errors import CommandError, ExitCode
from cli.options import GlobalOptions
from cli.output import progress, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.clients.dependencies import Dependencies
    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.notifications.timeline import TimelineRow

MAX_DAYS: Final = 90


def history(
    options: GlobalOptions,
    *,
    incident: Annotated[str, typer.Argument(help="Show one incident: its id, or a prefix of it.", show_default=False)] = "",
    cluster: Annotated[str, typer.Option("--cluster", "-c", help="List only this cluster.", show_default=False)] = "",
    days: Annotated[int, typer.Option(help="List incidents closed within this many days.", min=1, max=MAX_DAYS)] = 30,
    html: Annotated[
        Path | None, typer.Option(help="Write one incident as an HTML page, for a post-mortem.", metavar="FILE", show_default=False)
    ] = None,
) -> int:
    """List incidents, or show the timeline of one.

    Example: irsa-remediator history 7f3a9c21 --html incident.html
    """
    if incident:
        return _show(options, incident, html)
    if html:
        raise typer.BadParameter("needs an INCIDENT: a page shows one incident", param_hint="--html")
    return _list(options, cluster, days)


def _list(options: GlobalOptions, cluster: str, days: int) -> ExitCode:
    """Write open incidents, then those closed within these days, newest first."""
    from datetime import timedelta

    from rich.text import Text

    from cli.clients import connection
    from cli.queries.assessment import current_verdicts
    from cli.queries.incidents import require_stack
    from cli.views.documents import incident_documents
    from cli.views.incident import incident_table

    dependencies = connection.connect(options)
    require_stack(dependencies)
    with progress("reading incidents"):
        past = dependencies.incident_list.past(dependencies.now() - timedelta(days=days))
        open_ = [incident for incident in dependencies.incident_list.open() if cluster in ("", incident.target.cluster)]
        closed = [incident for incident in past if cluster in ("", incident.target.cluster)]
        verdicts = current_verdicts(open_, dependencies)
    incidents = incident_documents(open_, closed, verdicts)
    empty = f"No incident{f' of {cluster}' if cluster else ''} within {days} days."
    view = incident_table(open_, closed, verdicts) if incidents else Text(empty, style="dim")
    write(options.output, {"command": "history", "exitCode": ExitCode.OK, "incidents": incidents}, view)
    return ExitCode.OK


def _show(options: GlobalOptions, prefix: str, html: Path | None) -> ExitCode:
    """Write one incident with its timeline, or write its page to a file."""
    from rich.text import Text

    from cli.clients import connection
    from cli.queries.incidents import find_incident, incident_timeline
    from cli.views.documents import past_incident_document
    from cli.views.incident import past_incident_view
    from lambdas.domain.incidents.incident import Incident

    dependencies = connection.connect(options)
    with progress("reading the incident"):
        incident = find_incident(prefix, dependencies)
    if isinstance(incident, Incident):
        return _show_open(options, incident, dependencies, html)
    rows = incident_timeline(incident)
    document = {
        "command": "history",
        "exitCode": ExitCode.OK,
        "incident": past_incident_document(incident) | _details_document(incident, rows),
    }
    if html:
        from cli.views.page import incident_page

        html.write_text(incident_page(incident, dependencies.environment), encoding="utf-8")
        write(options.output, document | {"html": str(html)}, Text(f"{html} written: one self-contained page"))
    else:
        write(options.output, document, *past_incident_view(incident, rows))
    return ExitCode.OK


def _show_open(options: GlobalOptions, incident: Incident, dependencies: Dependencies, html: Path | None) -> ExitCode:
    from cli.queries.assessment import assess_target
    from cli.views.documents import open_incident_document
    from cli.views.incident import open_incident_view

    if html:
        raise CommandError(f"incident {incident.id} is still open", next_step="write the page after the incident is closed")
    with progress("assessing"):
        assessment = assess_target(incident.target, dependencies)
    verdict = assessment.summary.verdict.value if assessment.summary else None
    document = {"command": "history", "exitCode": ExitCode.OK, "incident": open_incident_document(incident, verdict)}
    write(options.output, document, *open_incident_view(incident, assessment))
    return ExitCode.OK


def _details_document(incident: PastIncident, rows: Sequence[TimelineRow]) -> dict[str, Any]:
    return {
        "sentence": incident.details.sentence,
        "severity": incident.details.severity,
        "unproven": list(incident.details.unproven),
        "oldValue": incident.old_value,
        "binding": {"path": incident.binding_path, "version": incident.binding_version} if incident.binding_path else None,
        "timeline": [
            {
                "at": row.at.isoformat() if row.at else None,
                "event": row.event,
                "text": row.text,
                "pods": _counts_document(row.pods, "withRole"),
                "nodes": _counts_document(row.nodes, "ready"),
            }
            for row in rows
        ],
    }


def _counts_document(counts: tuple[int, int] | None, name: str) -> dict[str, int] | None:
    return {name: counts[0], "all": counts[1]} if counts else None
