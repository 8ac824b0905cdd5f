"""EKS tokens as botocore creates them, and invalid tokens of every kind."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.signers import RequestSigner

from sandbox.aws.local_aws import ACCOUNT, LocalAws
from sandbox.cluster.http_messages import Identity
from sandbox.cluster.presigned_url import TokenRejected, check_form, is_sts_host, presigned_url
from sandbox.cluster.tokens import REMEMBERED, TokenVerifier

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = f"arn:aws:iam::{ACCOUNT}:role/remediator"
ENTRY = {
    "principalArn": ROLE,
    "username": f"arn:aws:sts::{ACCOUNT}:assumed-role/remediator/{{{{SessionName}}}}",
    "kubernetesGroups": ["eks-irsa-remediator"],
}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws() as local:
        yield local


@pytest.fixture(scope="module")
def session(aws: LocalAws) -> boto3.Session:
    """Credentials of the role, as the local STS hands them out."""
    given = aws.roles.create("remediator", session="run-1")
    return boto3.Session(given.access_key_id, given.secret_access_key, given.session_token, "eu-west-1")


def _token(session: boto3.Session, cluster: str = "demo", region: str = "eu-west-1") -> str:
    client = session.client("sts", region_name=region)
    signer = RequestSigner(client.meta.service_model.service_id, region, "sts", "v4", session.get_credentials(), session.events)
    request: dict[str, Any] = {
        "method": "GET",
        "url": f"https://sts.{region}.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    return _encode(signer.generate_presigned_url(request, region_name=region, expires_in=60, operation_name=""))


def _encode(url: str) -> str:
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


@pytest.fixture
def entries() -> list[dict[str, Any]]:
    return [ENTRY]


@pytest.fixture
def verifier(aws: LocalAws, entries: list[dict[str, Any]]) -> TokenVerifier:
    return TokenVerifier(cluster="demo", sts_url=aws.endpoint, access_entries=lambda: entries)


def test_a_token_of_a_role_with_an_entry_is_that_user(verifier: TokenVerifier, session: boto3.Session) -> None:
    identity = verifier(_token(session))
    assert isinstance(identity, Identity)
    assert identity.username == f"arn:aws:sts::{ACCOUNT}:assumed-role/remediator/run-1"
    assert identity.groups == ("eks-irsa-remediator",)
    assert identity.extra["canonicalArn"] == (ROLE,)


def test_sts_is_called_once_for_a_token_and_again_after_two_minutes(verifier: TokenVerifier, session: boto3.Session) -> None:
    now = [datetime.now(UTC)]
    asked = replace(verifier, now=lambda: now[0])
    token = _token(session)
    asked.identity(token)
    is_heartbeat_expired = replace(asked, sts_url="http://127.0.0.1:9")
    is_heartbeat_expired._known.update(asked._known)
    assert is_heartbeat_expired.identity(token) == asked.identity(token)
    now[0] += REMEMBERED
    with pytest.raises(TokenRejected, match="STS could not be reached"):
        is_heartbeat_expired.identity(token)


def test_a_removed_entry_is_effective_at_once(verifier: TokenVerifier, session: boto3.Session, entries: list[dict[str, Any]]) -> None:
    token = _token(session)
    verifier.identity(token)
    entries.clear()
    with pytest.raises(TokenRejected, match="no access entry"):
        verifier.identity(token)


def test_a_token_for_another_cluster_is_refused(verifier: TokenVerifier, session: boto3.Session) -> None:
    with pytest.raises(TokenRejected, match="SignatureDoesNotMatch"):
        verifier.identity(_token(session, cluster="other"))


def test_a_token_signed_with_another_secret_is_refused(verifier: TokenVerifier, session: boto3.Session) -> None:
    credentials = session.get_credentials()
    forged = boto3.Session(credentials.access_key, "another-secret", credentials.token, "eu-west-1")
    with pytest.raises(TokenRejected, match="SignatureDoesNotMatch"):
        verifier.identity(_token(forged))


def test_an_unknown_access_key_is_refused(verifier: TokenVerifier) -> None:
    with pytest.raises(TokenRejected, match="InvalidClientTokenId"):
        verifier.identity(_token(boto3.Session("ASIAUNKNOWN", "secret", "token", "eu-west-1")))


def test_a_role_without_an_entry_is_refused(verifier: TokenVerifier, session: boto3.Session, entries: list[dict[str, Any]]) -> None:
    entries.clear()
    with pytest.raises(TokenRejected, match=f"no access entry for {ROLE}"):
        verifier.identity(_token(session))
    assert verifier(_token(session)) is None


def test_a_role_with_a_path_is_matched_without_regard_to_case(verifier: TokenVerifier, session: boto3.Session, entries: list[Any]) -> None:
    entries[:] = [ENTRY | {"principalArn": ROLE.upper().replace("ARN:AWS:IAM", "arn:aws:iam")}]
    assert verifier(_token(session)) is not None


def test_tokens_are_refused_while_sts_is_unreachable(verifier: TokenVerifier, session: boto3.Session) -> None:
    with pytest.raises(TokenRejected, match="STS could not be reached"):
        replace(verifier, sts_url="http://127.0.0.1:9").identity(_token(session))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda token: token.removeprefix("k8s-aws-v1."), "prefix"),
        (lambda token: token + "=", "illegal base64"),
        (lambda token: token + "+/", "illegal base64"),
        (lambda token: token + "A" * 4096, "too large"),
        (lambda _: "k8s-aws-v1.gg", "illegal base64|unexpected scheme"),
    ],
    ids=["no prefix", "padded", "standard alphabet", "too large", "no URL"],
)
def test_a_wrong_encoding_is_refused(verifier: TokenVerifier, session: boto3.Session, spoil: Any, said: str) -> None:
    with pytest.raises(TokenRejected, match=said):
        verifier.identity(spoil(_token(session)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("https://", "http://", "unexpected scheme"),
        ("sts.eu-west-1.amazonaws.com", "sts.evil.example", "unexpected hostname"),
        ("amazonaws.com/?", "amazonaws.com/x?", "unexpected path"),
        ("GetCallerIdentity", "GetSessionToken", "unexpected action"),
        ("Version=2011-06-15", "Version=2011-06-15&Trace=1", "non-whitelisted query parameter"),
        ("Version=2011-06-15", "Version=2011-06-15&version=2011-06-15", "multiple values"),
        ("x-k8s-aws-id", "x-other", "did not sign the x-k8s-aws-id header"),
        ("X-Amz-Expires=60", "X-Amz-Expires=901", "invalid X-Amz-Expires"),
        ("X-Amz-Expires=60", "X-Amz-Expires=-1", "invalid X-Amz-Expires"),
        ("X-Amz-Expires=60", "X-Amz-Expires=", "invalid X-Amz-Expires"),
        ("X-Amz-Date=2", "X-Amz-Date=x2", "X-Amz-Date parameter must be present"),
    ],
)
def test_a_url_of_another_form_is_refused(session: boto3.Session, old: str, new: str, said: str) -> None:
    url = presigned_url(_token(session))
    assert old in url
    with pytest.raises(TokenRejected, match=said):
        check_form(url.replace(old, new), "aws", datetime.now(UTC))


def test_a_token_is_valid_for_fifteen_minutes_regardless_of_its_expiry(session: boto3.Session) -> None:
    url = presigned_url(_token(session))
    (date,) = parse_qs(urlsplit(url).query)["X-Amz-Date"]
    signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    check_form(url, "aws", signed + timedelta(minutes=15))
    with pytest.raises(TokenRejected, match="expired"):
        check_form(url, "aws", signed + timedelta(minutes=15, seconds=1))


@pytest.mark.parametrize(
    ("host", "partition", "good"),
    [
        ("sts.amazonaws.com", "aws", True),
        ("sts.amazonaws.com", "aws-cn", False),
        ("sts.eu-west-1.amazonaws.com", "aws", True),
        ("sts-fips.us-east-1.amazonaws.com", "aws", True),
        ("sts.eu-west-1.api.aws", "aws", True),
        ("sts.us-gov-west-1.amazonaws.com", "aws-us-gov", True),
        ("sts.cn-north-1.amazonaws.com.cn", "aws-cn", True),
        ("sts.cn-north-1.amazonaws.com.cn", "aws", False),
        ("sts.eusc-de-east-1.amazonaws.eu", "aws-eusc", True),
        ("sts.eusc-de-east-1.amazonaws.com", "aws-eusc", False),
        ("sts.us-iso-east-1.c2s.ic.gov", "aws-iso", True),
        ("sts.eu-west-1.amazonaws.com", "aws-unknown", False),
        ("sts.us-gov-west-1.amazonaws.com", "aws", False),
        ("sts.eu-west-1.amazonaws.com", "aws-us-gov", False),
        ("sts.eu-west-1.amazonaws.com.evil.example", "aws", False),
        ("sts.eu-west-1.amazonaws.com:8443", "aws", False),
    ],
)
def test_only_sts_of_the_partition_is_accepted(host: str, partition: str, good: bool) -> None:
    assert is_sts_host(host, partition) is good
