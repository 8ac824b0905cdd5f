"""`irsa-remediator fleet`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.commands.check import Only
from cli.errors import CommandError
from cli.options import GlobalOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.queries.fleet_report import FleetReport
    from cli.queries.fleet_state import FleetState

_ACCOUNTS = "Accounts"


class FleetFormat(StrEnum):
    """The formats of every command, and CSV."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


@dataclass(frozen=True, kw_only=True)
class FleetOptions(GlobalOptions):
    """The options of every command, with one more output format."""

    output: Annotated[FleetFormat, typer.Option("--output", "-o", help="Choose the format of the result.")] = FleetFormat.TABLE  # type: ignore[assignment]  # an extension of the same enumeration


_CONFIG = typer.Option(
    "--config",
    help="Read every environment of this deploy.yaml; ./deploy.yaml if no account is named.",
    metavar="FILE",
    rich_help_panel=_ACCOUNTS,
)
_PROFILE = typer.Option(
    "--account-profile", help="Read the account of this AWS profile (repeatable).", metavar="NAME", rich_help_panel=_ACCOUNTS
)
_ROLE = typer.Option(
    "--account-role", help="Read the account of this role, which is assumed (repeatable).", metavar="ARN", rich_help_panel=_ACCOUNTS
)
_ORGANIZATION = typer.Option("--organization", help="Read every active account of the organization.", rich_help_panel=_ACCOUNTS)
_ROLE_NAME = typer.Option("--role-name", help="Assume the role of this name in other accounts.", metavar="NAME", rich_help_panel=_ACCOUNTS)
_REGION = typer.Option(
    "--in-region", help="Read this region (repeatable); every enabled region by default.", metavar="REGION", rich_help_panel=_ACCOUNTS
)


def fleet(
    options: FleetOptions,
    *,
    config: Annotated[Path | None, _CONFIG] = None,
    account_profile: Annotated[list[str], _PROFILE] = [],  # noqa: B006  # typer copies it
    account_role: Annotated[list[str], _ROLE] = [],  # noqa: B006
    organization: Annotated[bool, _ORGANIZATION] = False,
    role_name: Annotated[str, _ROLE_NAME] = "",
    in_region: Annotated[list[str], _REGION] = [],  # noqa: B006
    only: Only = [],  # noqa: B006
    html: Annotated[Path | None, typer.Option(help="Write the report to this file as one self-contained page.", metavar="FILE")] = None,
) -> int:
    """Check every cluster of many accounts and regions.

    Read-only. An account or region that cannot be read is listed with its reason, and does not stop the others.
    Exit codes are those of check; an account that cannot be read counts as unknown.

    Example: irsa-remediator fleet --config deploy.yaml --role-name irsa-remediator-reader --html fleet.html

    Example: irsa-remediator fleet --organization --role-name irsa-remediator-reader --only broken -o csv
    """
    from cli.clients.fleet_connection import connect_fleet
    from cli.queries.fleet_report import read_fleet
    from cli.queries.fleet_sources import FleetSelection, fleet_accounts

    if options.kubeconfig or options.role_arn:
        raise CommandError("--kubeconfig and --role-arn are for one cluster or account", next_step="use --account-role or --role-name")
    regions = tuple(in_region) or ((options.region,) if options.region else ())
    selection = FleetSelection(
        config=config,
        profiles=tuple(account_profile),
        role_arns=tuple(account_role),
        is_organization=organization,
        role_name=role_name,
        regions=regions,
        stack=options.stack,
    )
    connection = connect_fleet(options)
    report = read_fleet(fleet_accounts(selection, connection), connection, connection.now())
    _write(options, report, only, html)
    return report.exit_code


def _write(options: FleetOptions, report: FleetReport, only: Sequence[FleetState], html: Path | None) -> None:
    from rich.text import Text

    from cli.output import Format, write
    from cli.queries.fleet_member import listed_members
    from cli.views.fleet_documents import fleet_csv, fleet_document
    from cli.views.fleet_summary import fleet_views

    if html:
        from cli.views.fleet_page import fleet_page

        html.write_text(fleet_page(report), encoding="utf-8")
    listed = listed_members(report.members, only, with_sound=options.output is not FleetFormat.TABLE)
    if options.output is FleetFormat.CSV:
        sys.stdout.write(fleet_csv(listed))
        return
    written = [Text(f"{html} written: one self-contained page")] if html else []
    document = fleet_document(report, listed) | {"html": str(html) if html else None}
    write(Format(options.output.value), document, *fleet_views(report, listed), *written)
