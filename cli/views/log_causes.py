"""Result of `explain-log`: a summary, then the causes, decisive ones first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from lambdas.domain.plurals import pluralize
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from cli.queries.node_log_files import NodeLogFiles
    from lambdas.domain.diagnosis.node_log import LogFinding, LogReport

EMPTY: Final = (
    "An empty result proves nothing about the node: the cause may be in an older, rotated file, or in a message that is not known here."
)
NOT_DECISIVE: Final = (
    "The lines below are no cause on their own. This proves nothing about the node: the cause may be in an older, rotated file."
)


def log_view(report: LogReport, log: NodeLogFiles) -> Iterator[RenderableType]:
    """Return the summary, what was not read, and one block for each cause."""
    yield _summary(report)
    yield Text(_what_was_read(report, log), style="dim")
    if log.is_cut:
        yield Text(f"Only the first {log.limit >> 20} MiB were read. Give fewer or newer files.", style="yellow")
    if not any(finding.cause.decisive for finding in report.findings):
        yield Text(NOT_DECISIVE if report.findings else EMPTY)
    for finding in report.findings:
        yield Text()
        yield _head(finding, log)
        yield _facts(finding)


def _summary(report: LogReport) -> Text:
    decisive = [finding for finding in report.findings if finding.cause.decisive]
    if not decisive:
        return Text("No decisive cause found.", style="bold yellow")
    others = f" {pluralize(len(decisive) - 1, 'more decisive cause')} below." if len(decisive) > 1 else ""
    return Text(f"{decisive[0].cause.meaning}{others}", style="bold red")


def _what_was_read(report: LogReport, log: NodeLogFiles) -> str:
    release = f", written by the VPC CNI {plain(report.release)}" if report.release else ""
    truncated = f"; of {pluralize(report.truncated, 'long line')} only the start was examined" if report.truncated else ""
    return f"{pluralize(report.lines, 'line')} of {pluralize(len(log.counts), 'file')}{release}{truncated}"


def _head(finding: LogFinding, log: NodeLogFiles) -> Text:
    mark, style = ("✗", "bold red") if finding.cause.decisive else ("·", "dim")
    file, line = log.place(finding.line)
    head = Text(mark, style=style).append(f" {finding.cause.id}", style="bold")
    detail = f" · {plain(finding.detail)}" if finding.detail else ""
    return head.append(
        f" · {finding.cause.area}{detail} · {pluralize(finding.count, 'line')}, last {plain(file)}:{line}", style="not bold dim"
    )


def _facts(finding: LogFinding) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(style="dim", no_wrap=True, min_width=9)
    table.add_column(overflow="fold")
    rows = {
        "means": finding.cause.meaning,
        "next step": finding.cause.next_step,
        "log line": finding.excerpt,
        "source": finding.cause.source,
    }
    for name, value in rows.items():
        table.add_row(name, Text(plain(value)))
    return table
