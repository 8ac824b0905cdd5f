"""The accounts of a fleet: from deploy.yaml, from profiles and role ARNs, or from the organization."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cli.clients.fleet_connection import FleetAccount
from cli.errors import CommandError
from infra.configuration_checks import served_clusters
from infra.configuration_file import load
from infra.configuration_schema import InvalidConfiguration
from lambdas.domain.snapshot.bindings import ROLE_ARN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cli.clients.aws_session import CallerIdentity
    from cli.clients.fleet_connection import FleetConnection

MOST_PROBLEMS: Final = 3


@dataclass(frozen=True, kw_only=True)
class FleetSelection:
    """The options that name the accounts. `role_name` is assumed in accounts that are known by their number only."""

    config: Path | None = None
    profiles: tuple[str, ...] = ()
    role_arns: tuple[str, ...] = ()
    is_organization: bool = False
    role_name: str = ""
    regions: tuple[str, ...] = ()
    stack: str = ""


def fleet_accounts(selection: FleetSelection, fleet: FleetConnection) -> tuple[FleetAccount, ...]:
    """Return the accounts, each once. The account of the shell's credentials needs no role.

    Raises:
        CommandError: the options exclude each other, or name no account.
    """
    _check(selection)
    if selection.is_organization:
        caller = fleet.caller()
        accounts = [
            FleetAccount(label=name or number, account=number, role_arn=_role(selection, number, caller))
            for number, name in fleet.organization()
        ]
    elif selection.profiles or selection.role_arns:
        accounts = [FleetAccount(label=f"profile {name}", profile=name) for name in selection.profiles]
        accounts += [FleetAccount(label=arn, account=arn.split(":")[4], role_arn=arn) for arn in selection.role_arns]
    else:
        accounts = list(_environments(selection, fleet))
    with_regions = (replace(item, regions=selection.regions or item.regions, stack=item.stack or selection.stack) for item in accounts)
    return tuple(dict.fromkeys(with_regions))


def _check(selection: FleetSelection) -> None:
    sources = [bool(selection.config), selection.is_organization, bool(selection.profiles or selection.role_arns)]
    if sum(sources) > 1:
        raise CommandError(
            "deploy.yaml, profiles or roles, and the organization exclude each other",
            next_step="give --config, or --account-profile and --account-role, or --organization",
        )
    if selection.is_organization and not selection.role_name:
        raise CommandError(
            "--organization needs the name of the role to assume in each account",
            next_step="add --role-name, for example --role-name irsa-remediator-reader",
        )
    for arn in selection.role_arns:
        if not ROLE_ARN.match(arn):
            raise CommandError(
                f"{arn!r} is not the ARN of a role", next_step="give --account-role like arn:aws:iam::111122223333:role/name"
            )


def _environments(selection: FleetSelection, fleet: FleetConnection) -> Iterable[FleetAccount]:
    """Return each environment of deploy.yaml. An environment of another account needs `--role-name`; without it, its answer says so."""
    path = selection.config or Path("deploy.yaml")
    if not path.is_file():
        raise CommandError(
            f"{path} does not exist", next_step="name the accounts with --config, --account-profile, --account-role or --organization"
        )
    try:
        configuration = load(path.parent, path.name)
    except InvalidConfiguration as error:
        problems = "; ".join(str(error).splitlines()[:MOST_PROBLEMS])
        raise CommandError(f"{path} is invalid: {problems}", next_step="correct it as docs/deploy.example.yaml shows") from error
    caller = fleet.caller()
    for environment in configuration.environments:
        yield FleetAccount(
            label=environment.name or "the environment without a name",
            account=environment.account or caller.account,
            role_arn=_role(selection, environment.account or caller.account, caller),
            regions=(environment.region,) if environment.region else (),
            clusters=served_clusters(configuration, environment),
            stack=environment.name,
        )


def _role(selection: FleetSelection, account: str, caller: CallerIdentity) -> str | None:
    if account == caller.account or not selection.role_name:
        return None
    return f"arn:{caller.partition}:iam::{account}:role/{selection.role_name}"
