"""The report of `preflight --all`: a summary, and one line for each cluster that would not keep its role, worst first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rich.text import Text

from cli.queries.fleet_state import FleetState
from cli.views.adaptive_table import AdaptiveTable, Column
from cli.views.fleet_table import count_line, final_count, marks
from cli.views.suggested_command import suggested_command
from lambdas.notifications.escape import plain
from preflight.outputs.table import becomes, ending, file_views
from preflight.report import Result
from preflight.rules import Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from preflight.cluster import ClusterReport
    from preflight.report import PreflightReport

_STATES: Final = {Result.FAIL: FleetState.BROKEN, Result.UNKNOWN: FleetState.UNKNOWN, Result.PASS: FleetState.SOUND}
_NAMES: Final = {FleetState.BROKEN: "would lose the role or fail", FleetState.UNKNOWN: "unknown", FleetState.SOUND: "pass"}


def fleet_views(report: PreflightReport) -> Iterator[RenderableType]:
    """Return the summary, the table, the files, and the result."""
    states = {cluster.cluster: _STATES[replace(report, clusters=(cluster,), files=()).result] for cluster in report.clusters}
    order = list(FleetState)
    ranked = sorted(report.clusters, key=lambda cluster: (order.index(states[cluster.cluster]), cluster.cluster))
    listed = [cluster for cluster in ranked if states[cluster.cluster] is not FleetState.SOUND]
    count = count_line(len(report.clusters), states.values(), _NAMES)
    yield count
    if listed:
        yield AdaptiveTable(marks(states[cluster.cluster] for cluster in listed), _columns(listed))
        command = f"\nirsa-remediator preflight --cluster {plain(listed[0].cluster)}"
        yield suggested_command(command, "shows the findings and the commands that keep the role")
    yield from file_views(report)
    yield from final_count(count, len(listed))
    yield ending(report)


def _columns(clusters: list[ClusterReport]) -> list[Column]:
    return [
        Column("cluster", [Text(plain(cluster.cluster)) for cluster in clusters]),
        Column("Kubernetes", [Text(plain(becomes(cluster.kubernetes, cluster.kubernetes_target))) for cluster in clusters]),
        Column("vpc-cni", [Text(plain(becomes(cluster.addon, cluster.addon_target))) for cluster in clusters]),
        Column("findings", [Text(_rules(cluster)) for cluster in clusters]),
    ]


def _rules(cluster: ClusterReport) -> str:
    decisive = [finding for finding in cluster.findings if finding.level in (Level.ERROR, Level.UNKNOWN)] or list(cluster.findings)
    return ", ".join(dict.fromkeys(f"{finding.rule.id} {finding.rule.name}" for finding in decisive))
