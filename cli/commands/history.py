"""`irsa-remediator history`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.asked import Asked


def history(
    asked: Asked,
    *,
    incident: Annotated[str, typer.Argument(help="One incident: its id, or the beginning of it.", show_default=False)] = "",
    cluster: Annotated[str, typer.Option("--cluster", "-c", help="Only this cluster's.")] = "",
    days: Annotated[int, typer.Option(help="How far back.", min=1, max=90)] = 30,
    html: Annotated[Path | None, typer.Option(help="Write one incident as a page of its own, for a post-mortem.", metavar="FILE")] = None,
) -> int:
    """What happened last night? Incidents, or one as a timeline.

    Example: irsa-remediator history 7f3a9c21 --html incident.html
    """
    from cli.history import listed, one

    if incident:
        return one(asked, incident, html)
    if html:
        raise typer.BadParameter("needs an INCIDENT: a page tells of one", param_hint="--html")
    return listed(asked, cluster, days)
