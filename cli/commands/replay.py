"""`irsa-remediator replay`."""

from pathlib import Path
from typing import Annotated

import typer

from cli.options import GlobalOptions


def replay(
    asked: GlobalOptions, *, event: Annotated[Path, typer.Argument(metavar="EVENT.json", help="An event as EventBridge delivers it.")]
) -> int:
    """What would the deployed configuration make of this event? Nothing is done.

    Which rules match, what request it becomes, and what would be diagnosed and planned now.

    Example: irsa-remediator replay event.json
    """
    from cli.replaying import run

    return run(asked, event)
