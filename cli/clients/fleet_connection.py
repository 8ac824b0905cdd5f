"""Connections to all accounts and regions of a fleet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

from cli.clients import deployed_stack
from cli.clients.aws_session import SharedSession, UserSession, caller_identity, region_of
from cli.clients.connection import dependencies_of
from cli.errors import CommandError
from lambdas.adapters.aws_errors import translated
from lambdas.adapters.eks import Eks
from lambdas.domain.errors import AccessDenied

if TYPE_CHECKING:
    from cli.clients.aws_session import CallerIdentity
    from cli.clients.dependencies import Dependencies
    from cli.options import GlobalOptions

_NOT_FROM_THE_SHELL: Final[dict[str, str]] = {}
"""The variables `IRSA_...` of the shell describe one stack, so a fleet does not read them."""


@dataclass(frozen=True, kw_only=True)
class FleetAccount:
    """One account, or one environment of deploy.yaml, and the credentials that read it.

    `account` is the expected account, empty where the credentials decide. No `regions` means every region that the account has enabled,
    no `clusters` every cluster. `stack` is the name of the environment.
    """

    label: str
    account: str = ""
    profile: str | None = None
    role_arn: str | None = None
    regions: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    stack: str = ""


@dataclass(frozen=True, kw_only=True)
class OpenAccount:
    """An account whose credentials work, and its regions to read."""

    source: FleetAccount
    caller: CallerIdentity
    session: UserSession
    regions: tuple[str, ...]


class FleetConnection(Protocol):
    """The accounts and regions of a fleet."""

    def now(self) -> datetime:
        """Return the time."""
        ...

    def caller(self) -> CallerIdentity:
        """Return the identity of the shell's credentials."""
        ...

    def organization(self) -> tuple[tuple[str, str], ...]:
        """Return number and name of each active account of the organization.

        Raises:
            AccessDenied: only the management account and delegated administrators may list accounts.
        """
        ...

    def open(self, source: FleetAccount) -> OpenAccount:
        """Return the account, with every enabled region where the source names none.

        Raises:
            RemediatorError: the credentials do not work, are of another account, or may not list regions.
        """
        ...

    def clusters(self, opened: OpenAccount, region: str) -> tuple[str, ...]:
        """Return the names of the clusters in one region."""
        ...

    def dependencies(self, opened: OpenAccount, region: str) -> Dependencies:
        """Return the dependencies for one region, with the stack that is deployed there."""
        ...


class AwsFleet:
    """Implements `FleetConnection` with the credentials of the shell, profiles and assumed roles."""

    def __init__(self, options: GlobalOptions) -> None:
        self._options = options
        self._shared = SharedSession("")

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def caller(self) -> CallerIdentity:
        """Return the identity of the shell's credentials."""
        return caller_identity(self._session(self._options.profile, None, ""))

    def organization(self) -> tuple[tuple[str, str], ...]:
        """Return number and name of each active account.

        `State` replaces `Status`, which AWS removes in September 2026.
        Source: https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
        """
        client = self._session(self._options.profile, None, "").client("organizations")
        with translated("list the accounts of the organization"):
            pages = [account for page in client.get_paginator("list_accounts").paginate() for account in page["Accounts"]]
        active = [account for account in pages if account.get("State", account.get("Status")) == "ACTIVE"]
        return tuple(sorted((account["Id"], account.get("Name", "")) for account in active))

    def open(self, source: FleetAccount) -> OpenAccount:
        """Return the account, with every enabled region where the source names none.

        Raises:
            RemediatorError: the credentials do not work, are of another account, or may not list regions.
        """
        session = self._session(source.profile or self._options.profile, source.role_arn, source.regions[0] if source.regions else "")
        shared = self._shared.in_region(session.region)
        try:
            with translated("get the credentials"), SharedSession.signed_by(session.credentials()):
                caller = caller_identity(shared)
        except AccessDenied as error:
            if not source.role_arn:
                raise
            next_step = f"let the trust policy of {source.role_arn} admit the credentials of this shell, or name another role"
            raise CommandError(str(error), next_step=next_step) from error
        if source.account not in ("", caller.account):
            raise CommandError(
                f"the credentials are of account {caller.account}, not of {source.account}",
                next_step="name the role to assume there with --role-name, or use --account-profile",
            )
        with SharedSession.signed_by(session.credentials()):
            regions = source.regions or _enabled_regions(shared)
        return OpenAccount(source=source, caller=caller, session=session, regions=regions)

    def clusters(self, opened: OpenAccount, region: str) -> tuple[str, ...]:
        """Return the names of the clusters in one region."""
        with SharedSession.signed_by(opened.session.credentials()):
            return Eks(self._shared.in_region(region)).clusters()

    def dependencies(self, opened: OpenAccount, region: str) -> Dependencies:
        """Return the dependencies for one region, with the stack that is deployed there."""
        session = opened.session.in_region(region)
        return dependencies_of(session, opened.caller, deployed_stack.find(session, opened.source.stack, _NOT_FROM_THE_SHELL))

    def _session(self, profile: str | None, role_arn: str | None, region: str) -> UserSession:
        return UserSession(region_of(profile, region or self._options.region), profile=profile, role_arn=role_arn)


def connect_fleet(options: GlobalOptions) -> FleetConnection:
    """Return the connections. Tests replace this by fakes."""
    return AwsFleet(options)


def _enabled_regions(session: SharedSession) -> tuple[str, ...]:
    """Return the regions that the account has enabled.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
    """
    with translated("list the regions of the account"):
        answer = session.client("ec2").describe_regions()
    return tuple(sorted(region["RegionName"] for region in answer["Regions"]))
