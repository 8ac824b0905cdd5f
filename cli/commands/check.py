"""`irsa-remediator check`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import CommandError, ExitCode, worst
from cli.options import GlobalOptions
from cli.output import Format, error_console, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.queries.assessment import TargetAssessment
    from cli.queries.targets import TargetSelection

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


def check(
    options: GlobalOptions,
    *,
    clusters: ClusterNames = None,
    cluster: Clusters = [],  # noqa: B006  # typer copies it
    all_clusters: AllClusters = False,
    service_account: ServiceAccount = "",
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
    """
    from cli.clients import connection
    from cli.interactive.repetition import assess_until_sound, assessment_changes
    from cli.queries.assessment import assess_targets
    from cli.queries.targets import TargetSelection
    from lambdas.notifications.time_text import clock

    if watch and wait:
        raise CommandError("--watch and --wait exclude each other", next_step="give one of them")
    selection = TargetSelection(clusters=(*(clusters or ()), *cluster), all_clusters=all_clusters, service_account=service_account)
    if mechanisms:
        if watch or wait:
            raise CommandError("--mechanisms excludes --watch and --wait", next_step="give one of them")
        return _write_mechanisms(options, selection)
    connect, assess = partial(connection.connect, options), partial(assess_targets, selection)
    if not watch:
        return _write(options, assess_until_sound(connect, assess, wait_s=wait))
    try:
        for now, assessments in assessment_changes(connect, assess):
            _write(options, assessments)
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


def _write(options: GlobalOptions, assessments: Sequence[TargetAssessment]) -> ExitCode:
    """Write the assessments as one document, or for people: chains, then with several clusters a line for each and the counts."""
    from cli.views.documents import assessment_document

    code = worst(assessment.exit_code for assessment in assessments)
    document = {"command": "check", "exitCode": code, "checks": [assessment_document(assessment) for assessment in assessments]}
    if options.output is not Format.TABLE:
        write(options.output, document)
        return code
    from cli.views.chain import chain_view
    from cli.views.fleet_table import count_line, fleet_table, unbound_clusters, unbound_hint

    if len(assessments) == 1:
        write(options.output, document, chain_view(assessments[0]))
    else:
        chains = [chain_view(assessment) for assessment in assessments if assessment.exit_code]
        hint = unbound_hint(unbound_clusters(assessments))
        write(options.output, document, *chains, fleet_table(assessments), *hint, count_line(assessments))
    return code
