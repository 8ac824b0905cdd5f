"""Incidents as a table, and one incident with its timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from cli.queries.incidents import incident_status
from cli.views.adaptive_table import AdaptiveTable, Column
from cli.views.suggested_command import suggested_command
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.plurals import pluralize
from lambdas.notifications.escape import plain
from lambdas.notifications.time_text import clock, duration, seconds_between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from cli.queries.assessment import TargetAssessment
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.incidents.incident import Incident, PastIncident
    from lambdas.notifications.timeline import TimelineRow

_OUTCOME_STYLES: Final = {
    Outcome.VERIFIED: "green",
    Outcome.RECOVERED: "green",
    Outcome.BLOCKED: "yellow",
    Outcome.NEEDS_ACTION: "bold red",
    Outcome.INTERRUPTED: "yellow",
}
_SYSTEM_NAMESPACE: Final = "kube-system"


def incident_table(open_incidents: Sequence[Incident], closed: Sequence[PastIncident], verdicts: Mapping[str, str]) -> AdaptiveTable:
    """Return one row for each incident. The header contains the namespace if all incidents share it, to save columns.

    Args:
        verdicts: id -> present verdict of open incidents.
    """
    incidents: list[Incident | PastIncident] = [*open_incidents, *closed]
    is_system = all(incident.target.namespace == _SYSTEM_NAMESPACE for incident in incidents)
    account_header = f"in {_SYSTEM_NAMESPACE}" if is_system else "service account"
    columns = [
        Column("incident", [Text(incident.id[:8]) for incident in incidents]),
        Column("opened (UTC)", [Text(f"{incident.opened_at:%b %d %H:%M}") for incident in incidents]),
        Column("cluster", [Text(incident.target.cluster) for incident in incidents]),
        Column(account_header, [Text(_account(incident.target, is_system=is_system)) for incident in incidents]),
        Column(
            "verdict",
            [Text(plain(verdicts.get(incident.id, "?"))) for incident in open_incidents] + [Text(plain(past.verdict)) for past in closed],
        ),
        Column("outcome", [_state(incident) for incident in open_incidents] + [_outcome(past) for past in closed]),
        Column("took", [Text() for _ in open_incidents] + [Text(_took(past)) for past in closed]),
    ]
    return AdaptiveTable((), columns)


def _account(target: ServiceAccountRef, *, is_system: bool) -> str:
    return target.name if is_system else f"{target.namespace}/{target.name}"


def _state(incident: Incident) -> Text:
    return Text("needs approval" if incident.callback_id else "open", style="yellow")


def _outcome(past: PastIncident) -> Text:
    return Text(str(past.outcome), style=_OUTCOME_STYLES[past.outcome])


def _took(incident: PastIncident) -> str:
    return duration(seconds_between(incident.opened_at, incident.closed_at) or 0)


def open_incident_view(incident: Incident, assessment: TargetAssessment) -> list[RenderableType]:
    """Return title, present verdict, state and the command that shows the whole chain."""
    summary = assessment.summary
    verdict = f"{summary.verdict}: {plain(summary.sentence)}" if summary else f"could not be assessed: {plain(assessment.failure)}"
    opened = f"open since {clock(incident.opened_at)}, {pluralize(incident.signals, 'signal')}"
    return [
        Text(incident.target.key, style="bold").append(f" · incident {incident.id} · {opened}", style="not bold"),
        Text(verdict),
        Text(f"Now: {incident_status(incident)}"),
        suggested_command(f"irsa-remediator check --cluster {incident.target.cluster}", "shows which link is broken"),
    ]


def past_incident_view(incident: PastIncident, rows: Sequence[TimelineRow]) -> list[RenderableType]:
    """Return title, cause and timeline."""
    title = Text(incident.target.key, style="bold").append(f" · incident {incident.id} · ", style="not bold")
    title.append(str(incident.outcome), style=_OUTCOME_STYLES[incident.outcome]).append(f" after {_took(incident)}", style="not bold")
    opened = f"opened {clock(incident.opened_at)} by {plain(incident.trigger)}"
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(style="dim", no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(f"{row.at:%H:%M:%S}" if row.at else "", row.after, plain(row.text))
    return [
        title,
        Text(f"{plain(incident.verdict)}: {plain(incident.details.sentence)}"),
        Text(f"{opened} · {pluralize(incident.signals, 'signal')} · closed {clock(incident.closed_at)}", style="dim"),
        Text(),
        table,
        Text(),
        Text(f"irsa-remediator history {incident.id} --html FILE   writes it as a page", style="dim"),
    ]
