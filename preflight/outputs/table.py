"""The outcome for a person."""

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
"""Beyond it a command would be broken by the edge of a small terminal, and could not be copied."""
_ENDINGS: Final = {
    Result.PASSES: ("Would keep the role.", "bold green"),
    Result.FAILS: ("Would lose the role, or fail.", "bold red"),
    Result.UNKNOWN: ("Could not tell.", "bold yellow"),
}


def views(report: PreflightReport) -> Iterator[RenderableType]:
    """Clusters, files, and the end of it."""
    for cluster in report.clusters:
        yield from _cluster(cluster)
    for file in report.files:
        yield from _file(file)
    words, style = _ENDINGS[report.result]
    counts = [(level, sum(finding.level is level for finding in report.findings)) for level in Level]
    told = ", ".join(f"{number} {level}{'s' if number > 1 else ''}" for level, number in counts if number)
    yield Text(words, style=style).append(f" {told + ' · ' if told else ''}exit code {report.exit_code}", style="not bold dim")


def _cluster(report: ClusterReport) -> Iterator[RenderableType]:
    yield _header(report)
    yield Padding(_roles(report), (0, 0, 0, 2), expand=False)
    yield Text()
    yield from _concerns(report.findings)
    if report.commands:
        yield Text("What keeps it:", style="bold")
        for command in report.commands:
            yield Padding(Text(_copied(_in_lines(command)), style="cyan"), (0, 0, 0, 2), expand=False)
    if report.without_role:
        yield Text(plain(report.without_role), style="dim")
    yield Text()


def _header(report: ClusterReport) -> Text:
    told = [report.cluster, report.region]
    if report.kubernetes:
        told.append(f"Kubernetes {_becomes(report.kubernetes, report.kubernetes_target)}")
    if report.addon:
        told.append(f"vpc-cni {_becomes(report.addon, report.addon_target)}{_default(report)}")
    return Text(" · ").join(Text(plain(item), style="bold" if i == 0 else "") for i, item in enumerate(told) if item)


def _becomes(now: str, after: str) -> str:
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


def _file(read: FileReport) -> Iterator[RenderableType]:
    yield Text(plain(read.file), style="bold").append(f" · {read.kind}", style="not bold dim")
    yield Text()
    yield from _concerns(read.findings)
    if not read.findings:
        yield Padding(Text("✓ the vpc-cni add-on has its role", style="green"), (0, 0, 0, 2), expand=False)
        yield Text()


def _concerns(findings: tuple[Finding, ...]) -> Iterator[RenderableType]:
    for finding in findings:
        mark, style = MARKS[finding.level]
        head = Text("  ").append(mark, style=style).append(f" {finding.rule.id}", style="bold")
        yield head.append(f"  {_where(finding)}", style="not bold cyan")
        yield Padding(_facts(finding), (0, 0, 0, 4), expand=False)
        yield Text()


def _where(it: Finding) -> str:
    place = f"{it.file}:{it.line}:{it.column}" if it.line else ""
    return plain("  ".join(filter(None, (place, it.resource))))


def _facts(it: Finding) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(style="dim", no_wrap=True, min_width=5)
    table.add_column(overflow="fold")
    rows = {"": it.message, "why": it.rule.why if it.level in (Level.ERROR, Level.UNKNOWN) else "", "from": it.expression}
    rows |= {"add": "\n".join(it.add), "where": it.place}
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(_copied(value), style="green") if name == "add" else Text(plain(value)))
    return table


def _copied(text: str) -> str:
    """Text for people to copy: its spaces and lines stay, control characters do not."""
    return "".join(item if item.isprintable() or item == "\n" else "\ufffd" for item in text)


def _in_lines(call: str) -> str:
    """A long command with one option a line, as a shell takes it."""
    if len(call) <= _LONGEST_CALL:
        return call
    parts: list[list[str]] = [[]]
    for word in shlex.split(call):
        parts += [[]] if word.startswith("--") else []
        parts[-1].append(word)
    return " \\\n    ".join(map(shlex.join, parts))
