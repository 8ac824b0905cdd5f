"""`irsa-remediator plan`."""

from cli.commands.check import Account, Clusters, Every
from cli.options import Asked


def plan(asked: Asked, *, cluster: Clusters = [], every: Every = False, service_account: Account = "") -> int:  # noqa: B006  # typer copies it
    """What would the remediator do, what not, and why?

    Reads only. Exit code as of check.

    Example: irsa-remediator plan --cluster prod-blue
    """
    from cli.plan_command import run
    from cli.targets import Wanted

    return run(asked, Wanted(clusters=tuple(cluster), every=every, service_account=service_account))
