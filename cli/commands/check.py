"""`irsa-remediator check`."""

from typing import Annotated

import typer

from cli.asked import Asked

CLUSTER = typer.Option("--cluster", "-c", help="A cluster; may be given several times. Not needed where the region has but one.")
EVERY = typer.Option("--all", help="Every cluster of the region, and every bound one.")
ACCOUNT = typer.Option("--service-account", "-s", metavar="NAMESPACE/NAME", help="One ServiceAccount, rather than every bound one.")

Clusters = Annotated[list[str], CLUSTER]
Every = Annotated[bool, EVERY]
Account = Annotated[str, ACCOUNT]


def check(asked: Asked, *, cluster: Clusters = [], every: Every = False, service_account: Account = "") -> int:  # noqa: B006  # typer copies it
    """Is the identity sound, and if not, what is broken?

    Reads only. Exit code 0: sound, 1: broken, 2: could not tell.

    Example: irsa-remediator check --cluster prod-blue
    """
    from cli.checking import run
    from cli.targets import Wanted

    return run(asked, Wanted(clusters=tuple(cluster), every=every, service_account=service_account))
