"""The report of `preflight --all`: a summary, and one line for each cluster that would not keep its role, worst first."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rich.text import Text

from cli.views.fleet_table import AdaptiveTable, Column
from lambdas.domain.plurals import pluralize
from lambdas.notifications.escape import plain
from preflight.outputs.table import becomes, ending, file_views
from preflight.report import Result
from preflight.rules import Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from preflight.cluster import ClusterReport
    from preflight.report import PreflightReport

_MARKS: Final = {Result.FAIL: ("✗", "bold red"), Result.UNKNOWN: ("?", "yellow"), Result.PASS: ("✓", "green")}
_NAMES: Final = {Result.FAIL: "would lose the role or fail", Result.UNKNOWN: "unknown", Result.PASS: "pass"}


def fleet_views(report: PreflightReport) -> Iterator[RenderableType]:
    """Return the summary, the table, the files, and the result."""
    results = {cluster.cluster: replace(report, clusters=(cluster,), files=()).result for cluster in report.clusters}
    order = list(_MARKS)
    ranked = sorted(report.clusters, key=lambda cluster: (order.index(results[cluster.cluster]), cluster.cluster))
    listed = [cluster for cluster in ranked if results[cluster.cluster] is not Result.PASS]
    yield _summary(report, results)
    if listed:
        marks = [Text(mark, style=style) for mark, style in (_MARKS[results[cluster.cluster]] for cluster in listed)]
        yield AdaptiveTable(marks, _columns(listed))
        yield Text(f"\nirsa-remediator preflight --cluster {plain(listed[0].cluster)}", style="bold").append(
            "   shows the findings and the commands that keep the role", style="not bold dim"
        )
    yield from file_views(report)
    yield ending(report)


def _summary(report: PreflightReport, results: dict[str, Result]) -> Text:
    counts = Counter(results.values())
    parts = [Text(f"{counts[result]} {name}", style=_MARKS[result][1]) for result, name in _NAMES.items() if counts[result]]
    return Text(f"{pluralize(len(report.clusters), 'cluster')}: ", style="bold").append(Text(" · ").join(parts))


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
