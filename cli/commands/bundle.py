"""`irsa-remediator bundle`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.check import Clusters
from cli.errors import ExitCode
from cli.options import GlobalOptions
from cli.output import progress, to_json, write

IncidentOption = Annotated[
    str, typer.Option("--incident", metavar="ID", help="Add the timeline of this incident: its id, or a prefix of it.", show_default=False)
]
FileOption = Annotated[Path, typer.Option("--file", metavar="FILE", help="Write the bundle to this file.")]


def bundle(
    options: GlobalOptions,
    *,
    cluster: Clusters = [],  # noqa: B006  # typer copies it
    incident: IncidentOption = "",
    file: FileOption = Path("irsa-remediator-bundle.json"),
) -> int:
    """Write a support bundle: versions, settings, checks with plans, and incidents, as one JSON file without identifying values.

    Reads what check and history read. Credentials are removed. Numbers of accounts, names of people and nodes, addresses and OIDC issuers
    are replaced. Names of clusters, workloads and roles stay.

    Example: irsa-remediator bundle --cluster prod-blue
    """
    from rich.text import Text

    from cli.clients import connection
    from cli.queries.targets import TargetSelection
    from cli.views.support_bundle import support_bundle

    dependencies = connection.connect(options)
    selection = TargetSelection(clusters=tuple(cluster), all_clusters=not cluster)
    with progress("collecting"):
        found = support_bundle(dependencies, selection, incident)
    file.write_text(to_json(found) + "\n", encoding="utf-8")
    problems = found["problems"]
    document = {"command": "bundle", "exitCode": ExitCode.OK, "file": str(file), "problems": problems}
    notes = [Text(f"not read: {name}: {problem}", style="yellow") for name, problem in problems.items()]
    advice = Text("Read it before you share it: names of clusters, workloads and roles are in it.")
    write(options.output, document, Text(f"{file} written"), *notes, advice)
    return ExitCode.OK
