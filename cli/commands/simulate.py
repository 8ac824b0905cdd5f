"""`irsa-remediator simulate`."""

from typing import Annotated

import typer

from cli.options import GlobalOptions


def simulate(
    asked: GlobalOptions,
    *,
    scenario: Annotated[str, typer.Argument(help="A scenario, or `list`.")] = "list",
) -> int:
    """Play a failure on a small EKS on this machine: no account, no cluster, nothing to pay.

    Example: irsa-remediator simulate addon-role-missing
    """
    from cli.simulating import run

    return run(asked, scenario)
