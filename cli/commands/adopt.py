"""`irsa-remediator adopt`."""

from typing import Annotated

import typer

from cli.options import GlobalOptions
from cli.commands.check import Account, Clusters, Every


def adopt(
    asked: GlobalOptions,
    *,
    cluster: Clusters = [],  # noqa: B006  # typer copies it
    every: Every = False,
    service_account: Account = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")] = False,
) -> int:
    """Write bindings from the annotations and add-on records that are right today.

    Each role is checked as before a repair; what does not pass is not written. Shows the difference and asks. Exit code 1 where one was
    refused.

    Example: irsa-remediator adopt --all --dry-run
    """
    from cli.adopting import run
    from cli.queries.targets import TargetSelection

    return run(asked, TargetSelection(clusters=tuple(cluster), every=every, service_account=service_account), yes=yes, dry_run=dry_run)
