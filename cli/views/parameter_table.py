"""Results of `bindings` and `settings`: lists with problems, written values, available settings."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from cli.clients import connection
from cli.errors import ExitCode, worst
from cli.output import progress, write
from cli.queries.parameters import DeployedFloor, SettingInForce, bindings, compare_clusters, deployed_floor, settings, settings_in_force
from cli.views.fleet_table import unbound_hint
from lambdas.contract.settings import FLOOR_NAMES, Settings
from lambdas.domain.errors import RemediatorError
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from rich.console import RenderableType

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
    floor = deployed_floor(dependencies)
    document |= {"unbound": list(unbound)} if kind == "bindings" else _floor_document(floor)
    in_force = settings_in_force(cluster, dependencies) if kind == "settings" and cluster else []
    document |= {} if kind == "bindings" else {"inForce": [setting.document for setting in in_force]}
    views = [_table(selected), *([_result(selected)] if validate else [])] if selected else [Text(_empty(kind), style="dim")]
    rest = unbound_hint(unbound) if kind == "bindings" else _floor_view(floor)
    write(options.output, document, *views, *_in_force_view(cluster, in_force), *rest)
    return code


def _in_force_view(cluster: str, settings_: list[SettingInForce]) -> Iterator[RenderableType]:
    """Return every setting that applies to one cluster, with its source."""
    if settings_:
        yield Text(f"\nIn force for {cluster}:")
        table = _new_table("setting", "value", "source")
        for setting in settings_:
            table.add_row(setting.name, plain(setting.value), Text(setting.source, style="dim" if setting.source == "default" else ""))
        yield table


def _empty(kind: str) -> str:
    next_step = "irsa-remediator adopt writes them" if kind == "bindings" else "irsa-remediator settings describe lists the settings"
    return f"No {kind} are set. {next_step}."


def _floor_document(floor: DeployedFloor) -> dict[str, Any]:
    floors = None if floor.unknown else [item.document for item in floor.floors.values()]
    return {"floor": floors, "floorUnknown": floor.unknown or None}


def _floor_view(floor: DeployedFloor) -> Iterator[RenderableType]:
    """Return one line for each floor, also for that of a setting without a parameter."""
    if floor.unknown or not floor.floors:
        yield _floor_summary(floor)
        return
    yield Text("\nFloor of the deployment (`settings_floor` in deploy.yaml), which no parameter can lower:")
    table = _new_table("setting", "floor", "if unset")
    for item in floor.floors.values():
        is_raised = item.unset != item.default
        table.add_row(
            item.name, plain(item.floor), f"{plain(item.unset)}, instead of the default {item.default}" if is_raised else item.unset
        )
    yield table


def _floor_summary(floor: DeployedFloor) -> Text:
    if floor.unknown:
        return Text(f"The floor of the deployment is not known: {plain(floor.unknown)}.", style="yellow")
    return Text("The deployment sets no floor (`settings_floor` in deploy.yaml).", style="dim")


def _new_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column == "setting")
    return table


def _result(entries: list[ParameterEntry]) -> Text:
    invalid = sum(bool(entry.problem) for entry in entries)
    return Text(f"{invalid} of {len(entries)} invalid", style="bold red") if invalid else Text(f"all {len(entries)} valid", style="green")


def _table(entries: Iterable[ParameterEntry]) -> Table:
    shown = list(entries)
    named = any(entry.mechanism for entry in shown)
    table = _new_table("", "cluster", "name", *(["mechanism"] if named else []), "value")
    for entry in shown:
        mark = Text("✗", style="bold red") if entry.problem else Text("✓", style="green")
        value = Text(plain(entry.value)).append(f"\n{plain(entry.problem)}" if entry.problem else "", style="red")
        if entry.raised_to:
            value.append(f"\n{_overruled(entry)}", style="yellow")
        mechanism = [entry.mechanism or "in force"] if named else []
        table.add_row(mark, plain(entry.cluster), plain(entry.name), *mechanism, value)
    return table


def _overruled(entry: ParameterEntry) -> str:
    return f"has no effect: the floor {plain(entry.raised_to)} of the deployment is stricter" if entry.raised_to else ""


def write_change(options: GlobalOptions, entry: ParameterEntry, former: Mapping[str, Parameter], command: str, code: ExitCode) -> ExitCode:
    """Write which value was set, and the former one. `code` is the result of what follows from the change."""
    old = former[entry.path].value if entry.path in former else ""
    note = f" (was {plain(old)})" if old and old != entry.value else " (unchanged)" if old else ""
    write(
        options.output,
        {"command": command, "exitCode": code, "written": entry.document | {"former": old or None}},
        Text(f"{entry.path}\n  = {entry.value}{note}"),
        *(Text(f"note: {note}", style="yellow") for note in (entry.problem, _overruled(entry)) if note),
    )
    return code


def delete_and_write(
    options: GlobalOptions, path: str, dependencies: Dependencies, command: str, follow: Callable[[], ExitCode] = lambda: ExitCode.OK
) -> ExitCode:
    """Delete one parameter, do what follows from it, and write the result. The exit code is 1 where the parameter did not exist."""
    is_deleted = dependencies.parameters.delete(path)
    code = worst([ExitCode.OK if is_deleted else ExitCode.BROKEN, follow()])
    document = {"command": command, "exitCode": code, "path": path, "removed": is_deleted}
    write(options.output, document, Text(f"{path} {'removed' if is_deleted else 'does not exist'}"))
    return code


def write_descriptions(options: GlobalOptions) -> ExitCode:
    """Write names, defaults, floors and meanings of all settings. Without AWS access the floors are not known."""
    floor = _floor_if_readable(options)
    table = _new_table("setting", "default", "floor", "meaning")
    descriptions = [
        {
            "name": field.name,
            "default": field.metadata["default"],
            "mayHaveFloor": field.name in FLOOR_NAMES,
            "floor": floor.floors[field.name].floor if field.name in floor.floors else None,
            "description": field.metadata["description"],
        }
        for field in fields(Settings)
    ]
    for setting in descriptions:
        shown = setting["floor"] or ("–" if not setting["mayHaveFloor"] else "?" if floor.unknown else "none")
        table.add_row(setting["name"], setting["default"], plain(shown), setting["description"])
    document = {"command": "settings describe", "exitCode": ExitCode.OK, "settings": descriptions, "floorUnknown": floor.unknown or None}
    write(options.output, document, table, *([_floor_summary(floor)] if floor.unknown else []))
    return ExitCode.OK


def _floor_if_readable(options: GlobalOptions) -> DeployedFloor:
    try:
        return deployed_floor(connection.connect(options))
    except RemediatorError as error:
        return DeployedFloor(unknown=str(error))
