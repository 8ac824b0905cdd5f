"""AWS session of the user: profile, region, and a role to assume first."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cli.errors import CommandError
from lambdas.adapters.aws_errors import translated
from lambdas.adapters.aws_session import AwsSession
from lambdas.domain.snapshot.bindings import ROLE_ARN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.credentials import Credentials
    from botocore.session import Session

SESSION_NAME: Final = "irsa-remediator"


@dataclass(frozen=True, kw_only=True)
class CallerIdentity:
    """Answer of sts:GetCallerIdentity."""

    arn: str
    account: str
    partition: str


class UserSession(AwsSession):
    """An `AwsSession` that may assume a role first."""

    def __init__(self, region: str, *, profile: str | None = None, role_arn: str | None = None) -> None:
        super().__init__(region, profile=profile)
        self._role_arn = role_arn

    def in_region(self, region: str) -> UserSession:
        """Return a session for another region, with the credentials of this one: a role is assumed once for all regions."""
        other = UserSession(region, profile=self._profile, role_arn=self._role_arn)
        with self._lock:
            other._session = self._botocore()
        other._lock = self._lock
        return other

    def _new_botocore(self) -> Session:
        session = super()._new_botocore()
        if self._role_arn:
            _assume(session, self._role_arn, self.region)
        return session


_SIGNER: Final[ContextVar[Credentials]] = ContextVar("signer")


class SharedSession(AwsSession):
    """An `AwsSession` for many accounts, whose calls are signed with the credentials of the block `signed_by` around them.

    A client of its own for each account and region costs more than the call that it makes: its creation, and a TLS handshake. A call
    outside such a block, also in another thread, raises `LookupError`, so that none is signed for the wrong account.
    """

    def __init__(self, region: str) -> None:
        super().__init__(region)
        self._regions = {region: self}

    def in_region(self, region: str) -> SharedSession:
        """Return the session for another region, always the same one."""
        with self._lock:
            if region not in self._regions:
                other = SharedSession(region)
                other._session, other._lock = self._botocore(), self._lock
                self._regions[region] = other
            return self._regions[region]

    @staticmethod
    @contextmanager
    def signed_by(credentials: Credentials) -> Iterator[None]:
        """Sign the calls of this thread with these credentials."""
        token = _SIGNER.set(credentials)
        try:
            yield
        finally:
            _SIGNER.reset(token)

    def _new_botocore(self) -> Session:
        from botocore.credentials import Credentials

        class _Signer(Credentials):
            def get_frozen_credentials(self) -> Any:
                return _SIGNER.get().get_frozen_credentials()

        session = super()._new_botocore()
        session._credentials = _Signer("", "")  # type: ignore[attr-defined]  # a provider would be asked once, for all accounts
        return session


def _assume(session: Session, role_arn: str, region: str) -> None:
    """Make the role's credentials the session's first choice. They are fetched when needed and refreshed before they expire."""
    from botocore.credentials import AssumeRoleCredentialFetcher, CredentialProvider, DeferredRefreshableCredentials

    if not ROLE_ARN.match(role_arn):
        raise CommandError(f"{role_arn!r} is not the ARN of a role", next_step="give --role-arn like arn:aws:iam::111122223333:role/name")
    source = session.get_credentials()
    if source is None:
        raise CommandError("there are no AWS credentials to assume the role with", next_step="log in to AWS, or choose a --profile")

    def create_sts_client(service: str, **arguments: Any) -> Any:
        return session.create_client(service, **{**arguments, "region_name": region})

    fetcher = AssumeRoleCredentialFetcher(create_sts_client, source, role_arn, extra_args={"RoleSessionName": SESSION_NAME})

    class _AssumedRoleProvider(CredentialProvider):
        METHOD = CANONICAL_NAME = "irsa-remediator-role"

        def load(self) -> DeferredRefreshableCredentials:
            return DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method=self.METHOD)

    session.get_component("credential_provider").insert_before("env", _AssumedRoleProvider())
    session._credentials = None  # type: ignore[attr-defined]  # drop the credentials that get_credentials cached


def region_of(profile: str | None, requested: str | None) -> str:
    """Return the region: the requested one, or that of the environment, or that of the profile.

    Raises:
        CommandError: no region is configured, or the profile does not exist.
    """
    import os

    import boto3

    if profile and profile not in boto3.Session().available_profiles:
        raise CommandError(f"AWS profile {profile!r} does not exist", next_step="list the profiles with `aws configure list-profiles`")
    region = requested or os.environ.get("AWS_REGION") or boto3.Session(profile_name=profile).region_name
    if not region:
        raise CommandError("no AWS region is configured", next_step="give one with --region, or set AWS_REGION")
    return str(region)


def caller_identity(session: AwsSession) -> CallerIdentity:
    """Return the identity of the caller.

    Raises:
        AccessDenied: there are no credentials, or AWS rejects them.
    """
    with translated("get the caller identity"):
        answer = session.client("sts").get_caller_identity()
    return CallerIdentity(arn=answer["Arn"], account=answer["Account"], partition=answer["Arn"].split(":")[1])
