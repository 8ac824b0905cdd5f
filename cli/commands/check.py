"""`irsa-remediator check`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli.errors import CommandError, ExitCode, worst
from cli.options import GlobalOptions
from cli.output import Format, error_console, write
from cli.queries.fleet_state import FleetState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.queries.fleet_member import FleetMember
    from cli.queries.targets import TargetSelection

_LINES_OF_A_CHAIN: Final = 20

Clusters = Annotated[
    list[str],
    typer.Option("--cluster", "-c", help="Select a cluster (repeatable). Optional if the region has only one.", show_default=False),
]
ClusterNames = Annotated[list[str] | None, typer.Argument(metavar="CLUSTER", help="Clusters, as with --cluster.", show_default=False)]
AllClusters = Annotated[bool, typer.Option("--all", help="Select every cluster of the region, and every bound cluster.")]
ServiceAccount = Annotated[
    str,
    typer.Option(
        "--service-account", "-s", metavar="NAMESPACE/NAME", help="Select one ServiceAccount instead of all bound ones.", show_default=False
    ),
]
Only = Annotated[
    list[FleetState],
    typer.Option(
        "--only", help="List only these states (repeatable). With --all, sound ones are counted and not listed.", show_default=False
    ),
]


def check(
    options: GlobalOptions,
    *,
    clusters: ClusterNames = None,
    cluster: Clusters = [],  # noqa: B006  # typer copies it
    all_clusters: AllClusters = False,
    service_account: ServiceAccount = "",
    only: Only = [],  # noqa: B006
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show each change, until Ctrl-C.")] = False,
    wait: Annotated[int, typer.Option("--wait", help="Repeat until no fault is found, for this many seconds at most.", min=0)] = 0,
    mechanisms: Annotated[
        bool,
        typer.Option(
            "--mechanisms", help="Show for every ServiceAccount with a role which mechanism gives it, and what blocks Pod Identity."
        ),
    ] = False,
) -> int:
    """Show whether the identity is healthy, and which link is broken.

    Read-only. Exit code 0: no fault found, 1: broken, 2: unknown. With --mechanisms, the code is 0, or 2 where a part was not read.

    Example: irsa-remediator check --cluster prod-blue

    Example: irsa-remediator check --all --only broken
    """
    from cli.clients import connection
    from cli.interactive.repetition import assess_until_sound, assessment_changes
    from cli.queries.fleet import assess_members
    from cli.queries.targets import TargetSelection
    from lambdas.notifications.time_text import clock

    if watch and wait:
        raise CommandError("--watch and --wait exclude each other", next_step="give one of them")
    selection = TargetSelection(clusters=(*(clusters or ()), *cluster), all_clusters=all_clusters, service_account=service_account)
    if mechanisms:
        if watch or wait or only:
            raise CommandError("--mechanisms excludes --watch, --wait and --only", next_step="give --mechanisms alone")
        return _write_mechanisms(options, selection)
    connect, assess = partial(connection.connect, options), partial(assess_members, selection)
    show = partial(_write, options, only, is_fleet=all_clusters)
    if not watch:
        return show(assess_until_sound(connect, assess, wait_s=wait))
    try:
        for now, members in assessment_changes(connect, assess):
            show(members)
            error_console().print(f"{clock(now)} · watching for changes; Ctrl-C ends this", style="dim")
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return ExitCode.OK


def _write_mechanisms(options: GlobalOptions, selection: TargetSelection) -> ExitCode:
    from cli.clients import connection
    from cli.queries.mechanisms import read_mechanisms
    from cli.views.mechanism_table import mechanisms_document, mechanisms_view

    found = read_mechanisms(selection, connection.connect(options))
    code = worst(cluster.exit_code for cluster in found)
    document = {"command": "check", "exitCode": code, "mechanisms": [mechanisms_document(cluster) for cluster in found]}
    write(options.output, document, *(mechanisms_view(cluster) for cluster in found))
    return code


def _write(options: GlobalOptions, only: Sequence[FleetState], members: Sequence[FleetMember], *, is_fleet: bool) -> ExitCode:
    """Write the members as one document, or for people: one chain, or a summary and a line for each, worst first."""
    from cli.queries.fleet_member import listed_members
    from cli.views.documents import member_document, summary_document

    code = worst(member.assessment.exit_code for member in members)
    listed = listed_members(members, only, with_sound=not is_fleet)
    documents = [member_document(member) for member in (listed if only else members)]
    document = {"command": "check", "exitCode": code, "summary": summary_document(members), "checks": documents}
    if options.output is not Format.TABLE:
        write(options.output, document)
        return code
    from cli.views.chain import chain_view
    from cli.views.fleet_table import (
        final_count,
        fleet_table,
        member_count,
        next_check,
        summary_lines,
        unbound_clusters,
        unbound_hint,
        unlisted_hint,
    )

    if len(members) == 1 and not is_fleet:
        write(options.output, document, *(chain_view(member.assessment) for member in listed))
    else:
        table = [fleet_table(listed)] if listed else []
        faulty = [member for member in listed if member.assessment.exit_code]
        details = next_check(faulty) if is_fleet else (chain_view(member.assessment) for member in faulty)
        hints = *unlisted_hint(members, listed), *unbound_hint(unbound_clusters(members)), *details
        rows = len(listed) + (0 if is_fleet else len(faulty) * _LINES_OF_A_CHAIN)
        write(options.output, document, *summary_lines(members), *table, *hints, *final_count(member_count(members), rows))
    return code
