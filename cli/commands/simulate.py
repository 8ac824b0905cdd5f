"""`irsa-remediator simulate`."""

from typing import Annotated

import typer

from cli.asked import Asked


def simulate(
    asked: Asked,
    *,
    scenario: Annotated[str, typer.Argument(help="A scenario, or `list`.")] = "list",
) -> int:
    """Play a failure on a small EKS on this machine: no account, no cluster, nothing to pay.

    Example: irsa-remediator simulate addon-role-missing
    """
    from cli.simulating import run

    return run(asked, scenario)
