"""The AWS credentials of the person at the terminal: their profile, their region, a role assumed first where asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from cli.failures import Refused
from lambdas.adapters.aws_errors import translated
from lambdas.adapters.aws_session import AwsSession
from lambdas.domain.snapshot.bindings import ROLE_ARN

if TYPE_CHECKING:
    from botocore.session import Session

SESSION_NAME: Final = "irsa-remediator"


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who AWS says we are."""

    arn: str
    account: str
    partition: str


class PersonsSession(AwsSession):
    """An `AwsSession` that may assume a role first."""

    def __init__(self, region: str, *, profile: str | None = None, role_arn: str | None = None) -> None:
        super().__init__(region, profile=profile)
        self._role_arn = role_arn

    def _botocore(self) -> Session:
        made = self._session is None
        session = super()._botocore()
        if made and self._role_arn:
            _assume(session, self._role_arn, self.region)
        return session


def _assume(session: Session, role_arn: str, region: str) -> None:
    """Let the session find the role's credentials first; they are fetched when needed and refreshed before they end."""
    from botocore.credentials import AssumeRoleCredentialFetcher, CredentialProvider, DeferredRefreshableCredentials

    if not ROLE_ARN.match(role_arn):
        raise Refused(f"{role_arn!r} is no ARN of a role", then="give --role-arn like arn:aws:iam::111122223333:role/name")
    own = session.get_credentials()
    if own is None:
        raise Refused("there are no AWS credentials to assume the role with", then="log in to AWS, or choose credentials with --profile")

    def sts(service: str, **members: Any) -> Any:
        return session.create_client(service, region_name=region, **{key: item for key, item in members.items() if key != "region_name"})

    fetcher = AssumeRoleCredentialFetcher(sts, own, role_arn, extra_args={"RoleSessionName": SESSION_NAME})

    class _Assumed(CredentialProvider):
        METHOD = CANONICAL_NAME = "irsa-remediator-role"

        def load(self) -> DeferredRefreshableCredentials:
            return DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method=self.METHOD)

    session.get_component("credential_provider").insert_before("env", _Assumed())
    session._credentials = None  # type: ignore[attr-defined]  # what it found before


def region_of(profile: str | None, asked: str | None) -> str:
    """The region: as asked, or as environment and profile say.

    Raises:
        Refused: none of them does, or there is no such profile.
    """
    import os

    from botocore.session import Session

    if profile and profile not in Session().available_profiles:
        raise Refused(f"there is no AWS profile {profile!r}", then="`aws configure list-profiles` lists those there are")
    found = asked or os.environ.get("AWS_REGION") or Session(profile=profile).get_config_variable("region")
    if not found:
        raise Refused("no AWS region is configured", then="give one with --region, or set AWS_REGION")
    return str(found)


def caller(session: AwsSession) -> Caller:
    """Ask AWS who we are.

    Raises:
        AccessDenied: there are no credentials, or they are not accepted.
    """
    with translated("ask AWS who we are"):
        answer = session.client("sts").get_caller_identity()
    return Caller(arn=answer["Arn"], account=answer["Account"], partition=answer["Arn"].split(":")[1])
