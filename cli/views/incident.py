"""Incidents as a table, and one incident with its timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from cli.queries.incidents import incident_status
from lambdas.domain.incidents.incident import Outcome
from lambdas.domain.plurals import pluralize
from lambdas.notifications.escape import plain
from lambdas.notifications.time_text import clock, duration, seconds_between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from cli.queries.assessment import TargetAssessment
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


def incident_table(open_incidents: Sequence[Incident], closed: Sequence[PastIncident], verdicts: Mapping[str, str]) -> Table:
    """Return one line for each incident. The header contains the namespace if all incidents share it, to save columns.

    Args:
        verdicts: id -> present verdict of open incidents.
    """
    targets = [incident.target for incident in open_incidents] + [incident.target for incident in closed]
    is_system = all(target.namespace == _SYSTEM_NAMESPACE for target in targets)
    account_column = f"in {_SYSTEM_NAMESPACE}" if is_system else "service account"
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1, 0, 0))
    for column in ("incident", "opened (UTC)", "cluster", account_column, "verdict", "outcome", "took"):
        table.add_column(column, overflow="fold", no_wrap=column in ("incident", "opened (UTC)", "outcome", "took"))
    for incident in open_incidents:
        state = "needs approval" if incident.callback_id else "open"
        table.add_row(*_first_columns(incident, is_system=is_system), verdicts.get(incident.id, "?"), Text(state, style="yellow"), "")
    for past in closed:
        outcome = Text(str(past.outcome), style=_OUTCOME_STYLES[past.outcome])
        table.add_row(*_first_columns(past, is_system=is_system), plain(past.verdict), outcome, _took(past))
    return table


def _first_columns(incident: Incident | PastIncident, *, is_system: bool) -> tuple[str, str, str, str]:
    target = incident.target
    return (
        incident.id[:8],
        f"{incident.opened_at:%b %d %H:%M}",
        target.cluster,
        target.name if is_system else f"{target.namespace}/{target.name}",
    )


def _took(incident: PastIncident) -> str:
    return duration(seconds_between(incident.opened_at, incident.closed_at) or 0)


def open_incident_view(incident: Incident, assessment: TargetAssessment) -> list[RenderableType]:
    """Return title, present verdict, state and the command that shows the whole chain."""
    summary = assessment.summary
    verdict = f"{summary.verdict}: {plain(summary.sentence)}" if summary else f"could not be assessed: {plain(assessment.failure)}"
    opened = f"open since {clock(incident.opened_at)}, {pluralize(incident.signals, 'signal')}"
    command = Text(f"irsa-remediator check --cluster {incident.target.cluster}", style="bold")
    return [
        Text(incident.target.key, style="bold").append(f" · incident {incident.id} · {opened}", style="not bold"),
        Text(verdict),
        Text(f"Now: {incident_status(incident)}"),
        command.append("   shows which link is broken", style="not bold dim"),
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
