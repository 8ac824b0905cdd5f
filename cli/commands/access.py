"""`irsa-remediator access`."""

from typing import Annotated

import typer

from cli.options import GlobalOptions


def access(
    asked: GlobalOptions,
    *,
    cluster: Annotated[str, typer.Option("--cluster", "-c", help="The cluster. Not needed where the region has but one.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Grant it, with your own rights in AWS and in the cluster.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say what is missing. Exit code 1 where something is.")] = False,
) -> int:
    """What must the cluster grant the remediator? Roles and bindings as YAML, access entries, aws-auth lines.

    Example: irsa-remediator access --cluster prod-blue --check
    """
    from cli.access import run

    return run(asked, cluster, apply=apply, check=check)
