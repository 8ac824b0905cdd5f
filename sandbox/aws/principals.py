"""IAM roles and users of the local AWS, with credentials that its STS recognizes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.aws.cloudtrail import Caller

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# The key of the sandbox itself, which distinguishes its calls from those of the functions.
OPERATOR_KEY = "AKIASANDBOXOPERATOR0"
OPERATOR = "sandbox-operator"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A key pair and its owner; `session_token` is empty for a user. The secrets are not part of the repr."""

    name: str
    arn: str
    access_key_id: str
    secret_access_key: str
    session_token: str
    caller: Caller

    def __repr__(self) -> str:
        return f"Credentials({self.name})"

    def environment(self) -> dict[str, str]:
        """The environment variables that the SDK reads."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }


class Principals:
    """Creates roles and users in moto, and maps keys to their owners. `client` returns a boto3 client by service name."""

    def __init__(self, client: Callable[[str], Any], account: str) -> None:
        self._client = client
        self._account = account
        self._by_name: dict[str, Credentials] = {}
        self._by_key: dict[str, Credentials] = {}
        self._sessions: dict[str, Caller] = {}

    def create(self, name: str, *, path: str = "/", trust: Mapping[str, Any] | None = None, session: str | None = None) -> Credentials:
        """Create a role and a session of it. An existing role gets a new session."""
        policy = json.dumps(trust or trust_of("lambda.amazonaws.com"))
        iam = self._client("iam")
        try:
            role = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=policy)["Role"]
        except iam.exceptions.EntityAlreadyExistsException:
            role = iam.get_role(RoleName=name)["Role"]
        return self._keep(self._session(role, session or name))

    def create_user(self, name: str) -> Credentials:
        """Create an IAM user with an access key."""
        iam = self._client("iam")
        user = iam.create_user(UserName=name)["User"]
        key = iam.create_access_key(UserName=name)["AccessKey"]
        caller = Caller(
            kind="IAMUser", account=self._account, name=name, principal_id=user["UserId"], arn=user["Arn"], access_key_id=key["AccessKeyId"]
        )
        return self._keep(
            Credentials(
                name=name,
                arn=user["Arn"],
                access_key_id=key["AccessKeyId"],
                secret_access_key=key["SecretAccessKey"],
                session_token="",
                caller=caller,
            )
        )

    def credentials(self, name: str) -> Credentials:
        """Credentials of a role or user.

        Raises:
            KeyError: it does not exist.
        """
        return self._by_name[name]

    def add_session(self, access_key_id: str, role_arn: str, session_arn: str, user_id: str) -> None:
        """Name the owner of a key that another program created."""
        self._sessions[access_key_id] = Caller(
            kind="AssumedRole",
            account=self._account,
            name=role_arn.rsplit("/", 1)[-1],
            principal_id=user_id,
            arn=session_arn,
            issuer_arn=role_arn,
            access_key_id=access_key_id,
            signed_in_at=datetime.now(UTC),
        )

    def principal_of(self, access_key_id: str) -> str:
        """Role or user name of a key; the key itself if its owner is unknown."""
        found = self._by_key.get(access_key_id) or self._sessions.get(access_key_id)
        return found.name if found else OPERATOR if access_key_id == OPERATOR_KEY else access_key_id

    def secret_of(self, access_key_id: str) -> str | None:
        """The secret key, for checking a signature; None if the owner is unknown."""
        found = self._by_key.get(access_key_id)
        return found.secret_access_key if found else None

    def caller_of(self, access_key_id: str) -> Caller:
        """The caller that CloudTrail records for this key."""
        if access_key_id in self._sessions:
            return self._sessions[access_key_id]
        found = self._by_key.get(access_key_id)
        return found.caller if found else _unknown(self._account, self.principal_of(access_key_id), access_key_id)

    def _session(self, role: dict[str, Any], session: str) -> Credentials:
        answer = self._client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName=session)
        key = answer["Credentials"]
        caller = Caller(
            kind="AssumedRole",
            account=self._account,
            name=role["RoleName"],
            principal_id=answer["AssumedRoleUser"]["AssumedRoleId"],
            arn=answer["AssumedRoleUser"]["Arn"],
            issuer_arn=role["Arn"],
            access_key_id=key["AccessKeyId"],
            signed_in_at=datetime.now(UTC),
        )
        return Credentials(
            name=role["RoleName"],
            arn=role["Arn"],
            access_key_id=key["AccessKeyId"],
            secret_access_key=key["SecretAccessKey"],
            session_token=key["SessionToken"],
            caller=caller,
        )

    def _keep(self, credentials: Credentials) -> Credentials:
        self._by_name[credentials.name] = credentials
        self._by_key[credentials.access_key_id] = credentials
        return credentials


def trust_of(service: str) -> dict[str, Any]:
    """The trust policy of a role that a service assumes."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _unknown(account: str, name: str, access_key_id: str) -> Caller:
    arn = f"arn:aws:iam::{account}:user/{name}"
    return Caller(kind="IAMUser", account=account, name=name, principal_id="AIDASANDBOXOPERATOR0", arn=arn, access_key_id=access_key_id)
