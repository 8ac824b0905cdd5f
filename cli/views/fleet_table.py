"""Several assessments, one line each."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from cli.errors import ExitCode
from lambdas.domain.diagnosis.verdict import WITHOUT_FAULT
from lambdas.domain.plurals import pluralize
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.queries.assessment import TargetAssessment

_MARKS = {ExitCode.BROKEN: ("✗", "bold red"), ExitCode.OK: ("✓", "green"), ExitCode.UNKNOWN: ("?", "yellow")}
"""In the order of the table."""


def fleet_table(assessments: Sequence[TargetAssessment]) -> Table:
    """Return cluster, ServiceAccount, verdict and counts of each assessment, the broken ones first."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("cluster", overflow="fold")
    table.add_column("service account", overflow="fold")
    table.add_column("verdict", overflow="fold")
    table.add_column("pods with the role", justify="right")
    table.add_column("nodes Ready", justify="right")
    order = list(_MARKS)
    for assessment in sorted(assessments, key=lambda assessment: (order.index(assessment.exit_code), assessment.target)):
        mark, style = _MARKS[assessment.exit_code]
        target = assessment.target
        table.add_row(Text(mark, style=style), target.cluster, f"{target.namespace}/{target.name}", *_columns(assessment))
    return table


def _columns(assessment: TargetAssessment) -> tuple[str, str, str]:
    summary = assessment.summary
    if summary is None:
        return plain(assessment.failure), "", ""
    counts = summary.counts
    pods = f"{counts.pods_right}/{counts.pods}" if counts.pods and summary.desired_role else ""
    nodes = f"{counts.nodes_ready}/{counts.nodes}" if counts.nodes else ""
    return str(summary.verdict), pods, nodes


def count_line(assessments: Sequence[TargetAssessment]) -> Text:
    """Return how many assessments are broken, unknown and without a fault."""
    counts = Counter(assessment.exit_code for assessment in assessments)
    names = {ExitCode.BROKEN: "broken", ExitCode.UNKNOWN: "unknown", ExitCode.OK: "without a fault"}
    parts = Text(" · ").join(Text(f"{counts[code]} {name}", style=_MARKS[code][1]) for code, name in names.items() if counts[code])
    return Text(f"\n{pluralize(len(assessments), 'ServiceAccount')}: ").append(parts)


def unbound_clusters(assessments: Sequence[TargetAssessment]) -> list[str]:
    """Return the clusters without a fault and without a binding."""
    summaries = [(assessment.target.cluster, assessment.summary) for assessment in assessments if assessment.summary]
    return [cluster for cluster, summary in summaries if not summary.binding_path and summary.verdict in WITHOUT_FAULT]


def unbound_hint(clusters: Sequence[str]) -> Iterator[Text]:
    """Return the command that binds these clusters, or nothing where the list is empty."""
    if clusters:
        options = " ".join(f"--cluster {name}" for name in clusters)
        text = Text(f"\n{pluralize(len(clusters), 'cluster')} without a binding: the remediator writes nothing there. ", style="dim")
        yield text.append(f"irsa-remediator adopt {options}", style="bold").append("   binds the current role")
