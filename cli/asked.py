"""What every command is asked with: how to write the result, and whose account, region and cluster it is about."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

WHERE: Final = "Where and who"


class Format(StrEnum):
    """How results are written: `table` for people, the others for programs, stable and documented in `docs/cli.md`."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every command is asked with. None or empty: as the AWS configuration of this shell says."""

    output: Annotated[Format, typer.Option("--output", "-o", help="How to write the result.")] = Format.TABLE
    profile: Annotated[str | None, typer.Option(help="AWS profile.", rich_help_panel=WHERE)] = None
    region: Annotated[str | None, typer.Option(help="AWS region.", rich_help_panel=WHERE)] = None
    role_arn: Annotated[str | None, typer.Option(help="Role to assume first.", metavar="ARN", rich_help_panel=WHERE)] = None
    stack: Annotated[
        str, typer.Option(help="Name of the environment in deploy.yaml, where it has one.", envvar="IRSA_STACK", rich_help_panel=WHERE)
    ] = ""
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            help="Log in to the cluster with this file, not with AWS credentials.",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            readable=True,
            rich_help_panel=WHERE,
        ),
    ] = None
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.", rich_help_panel=WHERE)] = None
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel=WHERE)] = False
