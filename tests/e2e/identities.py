"""Role sessions for logins, an STS that knows them, and tokens in the form of EKS clients."""

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import botocore.session
from botocore.credentials import Credentials
from botocore.signers import RequestSigner

from sandbox.aws.http_messages import Request, Response, scope_of
from sandbox.aws.sts import sts_backend

ACCOUNT = "111122223333"
REGION = "eu-west-1"


@dataclass(frozen=True)
class Session:
    """Temporary credentials of one role, as AssumeRole would give them."""

    role: str
    access_key_id: str
    secret: str

    @property
    def role_arn(self) -> str:
        return f"arn:aws:iam::{ACCOUNT}:role/{self.role}"

    @property
    def arn(self) -> str:
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{self.role}/a-session"


CHECKER = Session("checker", "ASIACHECKER", "secret of the checker")
REMEDIATOR = Session("remediator", "ASIAREMEDIATOR", "secret of the remediator")
STRANGER = Session("stranger", "ASIASTRANGER", "secret of the stranger")
SESSIONS: Mapping[str, Session] = {session.access_key_id: session for session in (CHECKER, REMEDIATOR, STRANGER)}


def caller_identity(request: Request) -> Response:
    """GetCallerIdentity in the XML of STS, for the owner of the key."""
    scope = scope_of(request)
    assert scope is not None
    session = SESSIONS[scope.access_key_id]
    body = (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        f"<Arn>{session.arn}</Arn><UserId>AROA{session.role.upper()}:a-session</UserId><Account>{ACCOUNT}</Account>"
        "</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )
    return Response(200, body.encode(), {"Content-Type": "text/xml"})


sts = sts_backend(caller_identity, lambda key: SESSIONS[key].secret if key in SESSIONS else None)


@contextmanager
def signing(age: timedelta) -> Iterator[None]:
    """Requests signed in this context were signed that long ago."""
    with patch("botocore.auth.get_current_datetime", return_value=(datetime.now(UTC) - age).replace(tzinfo=None)):
        yield


def token(session: Session, *, cluster: str, secret: str | None = None, age: timedelta = timedelta(0), region: str = REGION) -> str:
    """A bearer token for `cluster`, signed `age` ago with the session's secret or another.

    Source: https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
    """
    aws = botocore.session.Session()
    credentials = Credentials(session.access_key_id, secret or session.secret, f"session token of {session.role}")
    signer = RequestSigner(aws.get_service_model("sts").service_id, region, "sts", "v4", credentials, aws.get_component("event_emitter"))
    request = {
        "method": "GET",
        "url": f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    with signing(age):
        url = signer.generate_presigned_url(request, region_name=region, expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
