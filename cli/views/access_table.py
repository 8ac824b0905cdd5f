"""The access of several clusters: a summary, and one line for each cluster that grants too little or too much, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.text import Text

from cli.queries.fleet_state import FleetState
from cli.queries.grants import GrantState
from cli.views.adaptive_table import AdaptiveTable, Column
from cli.views.fleet_table import count_line, final_count, marks
from cli.views.grant_table import NOT_CHECKED
from cli.views.suggested_command import suggested_command
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from cli.queries.fleet_access import ClusterAccessReport

_NAMES: Final = {
    FleetState.BROKEN: "with missing or surplus access",
    FleetState.UNKNOWN: "unknown",
    FleetState.SOUND: "with the right access",
}


def access_views(reports: Sequence[ClusterAccessReport]) -> Iterator[RenderableType]:
    """Return the summary, the table of all clusters that need a change, and the command for one of them."""
    count = count_line(len(reports), (report.state for report in reports), _NAMES)
    yield count
    listed = [report for report in reports if report.state is not FleetState.SOUND]
    if listed:
        columns = [Column("cluster", [Text(plain(report.cluster)) for report in listed])]
        for state in (GrantState.MISSING, GrantState.SURPLUS, GrantState.UNKNOWN):
            cells = [Text(str(report.counts[state]) if report.counts[state] else "") for report in listed]
            columns.append(Column(str(state), cells, is_number=True))
        columns.append(Column("first", [Text(_first(report)) for report in listed]))
        yield AdaptiveTable(marks(report.state for report in listed), columns)
        command = f"\nirsa-remediator access --cluster {plain(listed[0].cluster)} --check"
        yield suggested_command(command, "shows each grant and the next step")
    yield Text(NOT_CHECKED, style="dim")
    yield from final_count(count, len(listed))


def _first(report: ClusterAccessReport) -> str:
    """Return why there is no answer, or the name of the first grant that is not as it should be."""
    if report.failure:
        return plain(report.failure)
    faulty = (GrantState.MISSING, GrantState.SURPLUS, GrantState.UNKNOWN)
    return next((plain(grant.name) for state in faulty for grant in report.grants if grant.state is state), "")
