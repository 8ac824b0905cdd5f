"""The report as text for a terminal."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lambdas.notifications.escape import plain
from preflight.report import Result
from preflight.rules import Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from preflight.cluster.upgrade import ClusterReport
    from preflight.finding import Finding
    from preflight.report import FileReport, PreflightReport

MARKS: Final = {
    Level.ERROR: ("✗", "bold red"),
    Level.UNKNOWN: ("?", "yellow"),
    Level.WARNING: ("!", "yellow"),
    Level.NOTE: ("·", "dim"),
}
_LONGEST_CALL: Final = 76
"""Longer commands are broken into lines, since the edge of a small terminal would break them in a way that cannot be copied."""
_ENDINGS: Final = {
    Result.PASS: ("aws-node keeps its role.", "bold green"),
    Result.FAIL: ("aws-node loses its role, or the change fails.", "bold red"),
    Result.UNKNOWN: ("It is not known whether aws-node keeps its role.", "bold yellow"),
    Result.UNREADABLE: ("A file could not be read.", "bold red"),
}


def views(report: PreflightReport) -> Iterator[RenderableType]:
    """Return the parts of the report: clusters, files, and the result."""
    for cluster in report.clusters:
        yield from _cluster(cluster)
    yield from file_views(report)
    yield ending(report)


def file_views(report: PreflightReport) -> Iterator[RenderableType]:
    """Return the findings of the files."""
    for file in report.files:
        yield from _file(file)


def ending(report: PreflightReport) -> Text:
    """Return the last line: the result, the counts of findings, and the exit code."""
    words, style = _ENDINGS[report.result]
    counts = [(str(level), sum(finding.level is level for finding in report.active)) for level in Level]
    parts = [f"{number} {name}{'s' if number > 1 else ''}" for name, number in counts if number]
    suppressed = len(report.findings) - len(report.active)
    summary = ", ".join(parts + [f"{suppressed} suppressed"] * bool(suppressed))
    return Text(words, style=style).append(f" {summary + ' · ' if summary else ''}exit code {report.exit_code}", style="not bold dim")


def _cluster(report: ClusterReport) -> Iterator[RenderableType]:
    yield _header(report)
    yield Padding(_roles(report), (0, 0, 0, 2), expand=False)
    yield Text()
    yield from _findings(report.findings)
    if report.commands:
        yield Text("Commands that keep the role:", style="bold")
        for command in report.commands:
            yield Padding(Text(_copied(_in_lines(command)), style="cyan"), (0, 0, 0, 2), expand=False)
    if report.without_role:
        yield Text(plain(report.without_role), style="dim")
    yield Text()


def _header(report: ClusterReport) -> Text:
    parts = [report.cluster, report.region]
    if report.kubernetes:
        parts.append(f"Kubernetes {becomes(report.kubernetes, report.kubernetes_target)}")
    if report.addon:
        parts.append(f"vpc-cni {becomes(report.addon, report.addon_target)}{_default(report)}")
    return Text(" · ").join(Text(plain(item), style="bold" if i == 0 else "") for i, item in enumerate(parts) if item)


def becomes(now: str, after: str) -> str:
    """Return a version, and the one after the upgrade where it differs."""
    return f"{now} → {after}" if after and after != now else now


def _default(report: ClusterReport) -> str:
    if not report.addon_default:
        return ""
    kubernetes = report.kubernetes_target or report.kubernetes
    same = report.addon_default == (report.addon_target or report.addon)
    return f" (the default for {kubernetes})" if same else f" (the default for {kubernetes} is {report.addon_default})"


def _roles(report: ClusterReport) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    named = {"add-on record": report.record_role, "annotation": report.annotation, "binding": report.binding}
    for where, role in named.items():
        table.add_row(where, Text(plain(role) if role else "none", style="" if role else "dim"))
    return table


def _file(report: FileReport) -> Iterator[RenderableType]:
    yield Text(plain(report.file), style="bold").append(f" · {report.kind}", style="not bold dim")
    yield Text()
    if report.error:
        yield Padding(Text(f"✗ {plain(report.error)}", style="bold red"), (0, 0, 0, 2), expand=False)
        yield Text()
    yield from _findings(report.findings)
    if not report.findings and not report.error:
        yield Padding(Text("✓ the vpc-cni add-on keeps its role", style="green"), (0, 0, 0, 2), expand=False)
        yield Text()


def _findings(findings: tuple[Finding, ...]) -> Iterator[RenderableType]:
    for finding in findings:
        mark, style = MARKS[finding.level] if not finding.suppressed else ("-", "dim")
        head = Text("  ").append(mark, style=style).append(f" {finding.rule.id} {finding.rule.name}", style="bold")
        yield head.append(f"  {_location(finding)}", style="not bold cyan")
        yield Padding(_facts(finding), (0, 0, 0, 4), expand=False)
        yield Text()


def _location(finding: Finding) -> str:
    place = f"{finding.file}:{finding.line}:{finding.column}" if finding.line else ""
    return plain("  ".join(filter(None, (place, finding.resource))))


def _facts(finding: Finding) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(style="dim", no_wrap=True, min_width=5)
    table.add_column(overflow="fold")
    is_explained = finding.level in (Level.ERROR, Level.UNKNOWN) and not finding.suppressed
    rows = {"": finding.message, "ignored": finding.suppressed, "why": finding.rule.why if is_explained else "", "from": finding.expression}
    rows |= {"add": "\n".join(finding.add), "where": finding.place} if not finding.suppressed else {}
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(_copied(value), style="green") if name == "add" else Text(plain(value)))
    return table


def _copied(text: str) -> str:
    """Return text that can be copied: with its spaces and lines, without control characters."""
    return "".join(item if item.isprintable() or item == "\n" else "\ufffd" for item in text)


def _in_lines(call: str) -> str:
    """Return a long command with one option a line, as a shell accepts it."""
    if len(call) <= _LONGEST_CALL:
        return call
    parts: list[list[str]] = [[]]
    for word in shlex.split(call):
        parts += [[]] if word.startswith("--") else []
        parts[-1].append(word)
    return " \\\n    ".join(map(shlex.join, parts))
