"""Results of `bindings` and `settings`: lists with problems, written values, available settings."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from cli.clients import connection
from cli.errors import ExitCode
from cli.output import progress, write
from cli.queries.parameters import bindings, compare_clusters, settings
from cli.views.fleet_table import unbound_hint
from lambdas.contract.settings import Settings
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cli.clients.dependencies import Dependencies
    from cli.options import GlobalOptions
    from cli.queries.parameters import ParameterEntry
    from lambdas.domain.snapshot.bindings import Parameter


def write_list(options: GlobalOptions, kind: str, cluster: str, *, validate: bool) -> ExitCode:
    """Write the list of `bindings` or `settings`. With `validate`, the exit code is 1 where a value is invalid."""
    dependencies = connection.connect(options)
    with progress(f"reading {kind}"):
        entries = (bindings if kind == "bindings" else settings)(dependencies)
    selected = [entry for entry in entries if not cluster or entry.cluster == cluster]
    code = ExitCode.BROKEN if validate and any(entry.problem for entry in selected) else ExitCode.OK
    document = {"command": f"{kind} {'validate' if validate else 'list'}", "exitCode": code, kind: [entry.document for entry in selected]}
    unbound = compare_clusters(dependencies).unbound if kind == "bindings" and not cluster else ()
    document |= {"unbound": list(unbound)} if kind == "bindings" else {}
    views = [_table(selected), *([_result(selected)] if validate else [])] if selected else [Text(_empty(kind), style="dim")]
    write(options.output, document, *views, *unbound_hint(unbound))
    return code


def _empty(kind: str) -> str:
    next_step = "irsa-remediator adopt writes them" if kind == "bindings" else "irsa-remediator settings describe lists the settings"
    return f"No {kind} are set. {next_step}."


def _result(entries: list[ParameterEntry]) -> Text:
    invalid = sum(bool(entry.problem) for entry in entries)
    return Text(f"{invalid} of {len(entries)} invalid", style="bold red") if invalid else Text(f"all {len(entries)} valid", style="green")


def _table(entries: Iterable[ParameterEntry]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("", "cluster", "name", "value"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        mark = Text("✗", style="bold red") if entry.problem else Text("✓", style="green")
        value = Text(plain(entry.value)).append(f"\n{plain(entry.problem)}" if entry.problem else "", style="red")
        if entry.raised_to:
            value.append(f"\nraised to the floor {plain(entry.raised_to)}", style="yellow")
        table.add_row(mark, plain(entry.cluster), plain(entry.name), value)
    return table


def write_change(options: GlobalOptions, entry: ParameterEntry, former: Mapping[str, Parameter], command: str) -> ExitCode:
    """Write which value was set, and the former one."""
    old = former[entry.path].value if entry.path in former else ""
    note = f" (was {plain(old)})" if old and old != entry.value else " (unchanged)" if old else ""
    write(
        options.output,
        {"command": command, "exitCode": ExitCode.OK, "written": entry.document | {"former": old or None}},
        Text(f"{entry.path}\n  = {entry.value}{note}"),
        *([Text(f"note: {entry.problem}", style="yellow")] if entry.problem else []),
    )
    return ExitCode.OK


def delete_and_write(options: GlobalOptions, path: str, dependencies: Dependencies, command: str) -> ExitCode:
    """Delete one parameter and write the result. The exit code is 1 where the parameter did not exist."""
    is_deleted = dependencies.parameters.delete(path)
    code = ExitCode.OK if is_deleted else ExitCode.BROKEN
    document = {"command": command, "exitCode": code, "path": path, "removed": is_deleted}
    write(options.output, document, Text(f"{path} {'removed' if is_deleted else 'does not exist'}"))
    return code


def write_descriptions(options: GlobalOptions) -> ExitCode:
    """Write names, defaults and meanings of all settings."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in ("setting", "default", "meaning"):
        table.add_column(column, overflow="fold", no_wrap=column == "setting")
    descriptions = [
        {"name": field.name, "default": field.metadata["default"], "description": field.metadata["description"]}
        for field in fields(Settings)
    ]
    for setting in descriptions:
        table.add_row(setting["name"], setting["default"], setting["description"])
    write(options.output, {"command": "settings describe", "exitCode": ExitCode.OK, "settings": descriptions}, table)
    return ExitCode.OK
