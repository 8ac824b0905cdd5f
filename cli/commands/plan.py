"""`irsa-remediator plan`."""

from cli.asked import Asked
from cli.commands.check import Account, Clusters, Every


def plan(asked: Asked, *, cluster: Clusters = [], every: Every = False, service_account: Account = "") -> int:  # noqa: B006  # typer copies it
    """What would the remediator do, what not, and why?

    Reads only. Exit code as of check.

    Example: irsa-remediator plan --cluster prod-blue
    """
    from cli.plan_command import run
    from cli.targets import Wanted

    return run(asked, Wanted(clusters=tuple(cluster), every=every, service_account=service_account))
