"""The outcome for a person."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lambdas.notifications.escape import plain
from preflight.outcome import Result
from preflight.rules import Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from preflight.cluster.upgrade import ClusterAnswer
    from preflight.concern import Concern
    from preflight.outcome import Outcome, ReadFile

MARKS: Final = {
    Level.ERROR: ("✗", "bold red"),
    Level.UNKNOWN: ("?", "yellow"),
    Level.WARNING: ("!", "yellow"),
    Level.NOTE: ("·", "dim"),
}
_LONGEST_CALL: Final = 76
"""Beyond it a command would be broken by the edge of a small terminal, and could not be copied."""
_ENDINGS: Final = {
    Result.KEEPS: ("Would keep the role.", "bold green"),
    Result.LOSES: ("Would lose the role, or fail.", "bold red"),
    Result.COULD_NOT_TELL: ("Could not tell.", "bold yellow"),
}


def views(outcome: Outcome) -> Iterator[RenderableType]:
    """Clusters, files, and the end of it."""
    for answer in outcome.clusters:
        yield from _cluster(answer)
    for read in outcome.files:
        yield from _file(read)
    words, style = _ENDINGS[outcome.result]
    counts = [(level, sum(concern.level is level for concern in outcome.concerns)) for level in Level]
    told = ", ".join(f"{number} {level}{'s' if number > 1 else ''}" for level, number in counts if number)
    yield Text(words, style=style).append(f" {told + ' · ' if told else ''}exit code {outcome.exit_code}", style="not bold dim")


def _cluster(answer: ClusterAnswer) -> Iterator[RenderableType]:
    yield _header(answer)
    yield Padding(_roles(answer), (0, 0, 0, 2), expand=False)
    yield Text()
    yield from _concerns(answer.concerns)
    if answer.calls:
        yield Text("What keeps it:", style="bold")
        for call in answer.calls:
            yield Padding(Text(_copied(_in_lines(call)), style="cyan"), (0, 0, 0, 2), expand=False)
    if answer.without:
        yield Text(plain(answer.without), style="dim")
    yield Text()


def _header(answer: ClusterAnswer) -> Text:
    told = [answer.cluster, answer.region]
    if answer.kubernetes:
        told.append(f"Kubernetes {_becomes(answer.kubernetes, answer.kubernetes_wanted)}")
    if answer.addon:
        told.append(f"vpc-cni {_becomes(answer.addon, answer.addon_wanted)}{_default(answer)}")
    return Text(" · ").join(Text(plain(item), style="bold" if i == 0 else "") for i, item in enumerate(told) if item)


def _becomes(now: str, after: str) -> str:
    return f"{now} → {after}" if after and after != now else now


def _default(answer: ClusterAnswer) -> str:
    if not answer.addon_default:
        return ""
    kubernetes = answer.kubernetes_wanted or answer.kubernetes
    same = answer.addon_default == (answer.addon_wanted or answer.addon)
    return f" (the default for {kubernetes})" if same else f" (the default for {kubernetes} is {answer.addon_default})"


def _roles(answer: ClusterAnswer) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    named = {"add-on record": answer.record_role, "annotation": answer.annotation, "binding": answer.binding}
    for where, role in named.items():
        table.add_row(where, Text(plain(role) if role else "none", style="" if role else "dim"))
    return table


def _file(read: ReadFile) -> Iterator[RenderableType]:
    yield Text(plain(read.file), style="bold").append(f" · {read.kind}", style="not bold dim")
    yield Text()
    yield from _concerns(read.concerns)
    if not read.concerns:
        yield Padding(Text("✓ the vpc-cni add-on has its role", style="green"), (0, 0, 0, 2), expand=False)
        yield Text()


def _concerns(concerns: tuple[Concern, ...]) -> Iterator[RenderableType]:
    for concern in concerns:
        mark, style = MARKS[concern.level]
        head = Text("  ").append(mark, style=style).append(f" {concern.rule.id}", style="bold")
        yield head.append(f"  {_where(concern)}", style="not bold cyan")
        yield Padding(_facts(concern), (0, 0, 0, 4), expand=False)
        yield Text()


def _where(it: Concern) -> str:
    place = f"{it.file}:{it.line}:{it.column}" if it.line else ""
    return plain("  ".join(filter(None, (place, it.resource))))


def _facts(it: Concern) -> Table:
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
