"""`bindings` and `settings` as they are shown: lists with what is wrong, what was written, what can be set."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from cli import wiring
from cli.failures import BROKEN, SOUND
from cli.output import progress, write
from cli.parameters import bindings, compared, settings
from cli.summary import how_to_bind
from lambdas.contract.settings import Settings
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cli.asked import Asked
    from cli.outside import Outside
    from cli.parameters import Line
    from lambdas.domain.ports import Parameter


def listed(asked: Asked, kind: str, cluster: str, *, validate: bool) -> int:
    """List them, or with `validate` those that are wrong alone. Exit code 1 where one is wrong and validation was asked for."""
    outside = wiring.connect(asked)
    with progress(f"reading {kind}"):
        found = (bindings if kind == "bindings" else settings)(outside)
    chosen = [item for item in found if not cluster or item.cluster == cluster]
    code = BROKEN if validate and any(item.problem for item in chosen) else SOUND
    document = {"command": f"{kind} {'validate' if validate else 'list'}", "exitCode": code, kind: [item.document for item in chosen]}
    told = [_verdict(chosen)] if validate else []
    unbound = compared(outside).unbound if kind == "bindings" and not cluster else ()
    document |= {"unbound": list(unbound)} if kind == "bindings" else {}
    shown = [_table(chosen), *told] if chosen else [Text(_empty(kind), style="dim")]
    write(asked.output, document, *shown, *(how_to_bind(unbound) if unbound else ()))
    return code


def _empty(kind: str) -> str:
    then = "irsa-remediator adopt writes them" if kind == "bindings" else "irsa-remediator settings describe lists what can be set"
    return f"There are none. {then}."


def _verdict(lines: list[Line]) -> Text:
    wrong = sum(bool(line.problem) for line in lines)
    return Text(f"{wrong} of {len(lines)} wrong", style="bold red") if wrong else Text(f"all {len(lines)} valid", style="green")


def _table(lines: Iterable[Line]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("", "cluster", "name", "value"):
        table.add_column(column, overflow="fold")
    for line in lines:
        mark = Text("✗", style="bold red") if line.problem else Text("✓", style="green")
        value = Text(plain(line.value)).append(f"\n{plain(line.problem)}" if line.problem else "", style="red")
        table.add_row(mark, plain(line.cluster), plain(line.name), value)
    return table


def changed(asked: Asked, line: Line, former: Mapping[str, Parameter], command: str) -> int:
    """Tell what was written."""
    old = former[line.path].value if line.path in former else ""
    was = f" (was {plain(old)})" if old and old != line.value else " (as before)" if old else ""
    write(
        asked.output,
        {"command": command, "exitCode": SOUND, "written": line.document | {"former": old or None}},
        Text(f"{line.path}\n  = {line.value}{was}"),
        *([Text(f"note: {line.problem}", style="yellow")] if line.problem else []),
    )
    return SOUND


def unset(asked: Asked, path: str, outside: Outside, command: str) -> int:
    """Remove one parameter. Exit code 1 where there was none."""
    gone = outside.parameters.delete(path)
    words = "removed" if gone else "was not there"
    write(asked.output, {"command": command, "exitCode": SOUND if gone else BROKEN, "path": path, "removed": gone}, Text(f"{path} {words}"))
    return SOUND if gone else BROKEN


def describe(asked: Asked) -> int:
    """List what can be set."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("setting", "default", "meaning"):
        table.add_column(column, overflow="fold", no_wrap=column == "setting")
    for item in _described():
        table.add_row(item["name"], item["default"], item["description"])
    write(asked.output, {"command": "settings describe", "exitCode": SOUND, "settings": _described()}, table)
    return SOUND


def _described() -> list[dict[str, str]]:
    return [
        {"name": field.name, "default": field.metadata["default"], "description": field.metadata["description"]}
        for field in fields(Settings)
    ]
