"""`irsa-remediator fix`."""

from typing import Annotated

import typer

from cli.options import GlobalOptions
from cli.commands.check import Account


def fix(
    asked: GlobalOptions,
    *,
    cluster: Annotated[str, typer.Option("--cluster", "-c", help="The cluster. Not needed where the region has but one.")] = "",
    service_account: Account = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    override: Annotated[
        bool, typer.Option("--override", help="With --yes: also where cool-down, hourly limit, window or breaker hold the remediator back.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
) -> int:
    """Repair it now, by the remediator's own workflow, and stay until it is proven.

    Shows the plan and asks. Exit code 0: proven or sound, 1: still broken, 2: could not tell.

    Example: irsa-remediator fix --cluster prod-blue
    """
    from cli.fixing import FixOptions, run
    from cli.queries.targets import TargetSelection

    wanted = TargetSelection(clusters=(cluster,) if cluster else (), service_account=service_account)
    return run(asked, wanted, FixOptions(yes=yes, override=override, dry_run=dry_run))
