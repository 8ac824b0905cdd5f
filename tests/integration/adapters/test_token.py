"""The EKS authenticator accepts the tokens, and no token outlives its credentials."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.session import Session

from lambdas.adapters.aws_session import AwsSession
from lambdas.adapters.eks_token import LIFETIME, Tokens
from lambdas.domain.errors import AccessDenied, Denial, PermanentError
from sandbox.cluster.presigned_url import TokenRejected, check_form, presigned_url
from sandbox.cluster.tokens import TokenVerifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.aws.local_aws import LocalAws

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Signing:
    """A session with these credentials."""

    def __init__(self, credentials: Any, region: str = "eu-west-1") -> None:
        self.region = region
        self._credentials = credentials

    def credentials(self) -> Any:
        return self._credentials


def tokens(now: Callable[[], datetime], credentials: Any = None, *, region: str = "eu-west-1", partition: str = "aws") -> Tokens:
    signing: Any = Signing(credentials or Credentials("AKIAEXAMPLE", "secret", "session"), region)
    return Tokens(signing, partition, now)


def verifier(local: LocalAws, cluster: str) -> TokenVerifier:
    entry = {"principalArn": "arn:aws:iam::111122223333:role/us", "username": "us", "kubernetesGroups": ["ours"]}
    return TokenVerifier(cluster=cluster, sts_url=local.endpoint, access_entries=lambda: [entry])


def test_the_authenticator_accepts_the_token_and_identifies_the_caller(session: AwsSession, local_aws: LocalAws) -> None:
    token = Tokens(session, "aws").get("demo")
    identity = verifier(local_aws, "demo").identity(token)
    assert (identity.username, identity.groups) == ("us", ("ours",))


def test_a_token_is_valid_for_one_cluster_only(session: AwsSession, local_aws: LocalAws) -> None:
    token = Tokens(session, "aws").get("demo")
    with pytest.raises(TokenRejected, match="SignatureDoesNotMatch"):
        verifier(local_aws, "other").identity(token)


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "sts.eu-west-1.amazonaws.com"),
        ("aws-cn", "cn-north-1", "sts.cn-north-1.amazonaws.com.cn"),
        ("aws-us-gov", "us-gov-west-1", "sts.us-gov-west-1.amazonaws.com"),
        ("aws-eusc", "eusc-de-east-1", "sts.eusc-de-east-1.amazonaws.eu"),
        ("aws-iso", "us-iso-east-1", "sts.us-iso-east-1.c2s.ic.gov"),
    ],
)
def test_each_partition_has_its_regional_endpoint(partition: str, region: str, host: str) -> None:
    token = tokens(lambda: datetime.now(UTC), region=region, partition=partition).get("demo")
    url = presigned_url(token)
    assert urlsplit(url).netloc == host
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["60"]
    check_form(url, partition, datetime.now(UTC))


@pytest.mark.parametrize("partition", Session().get_available_partitions())
def test_each_host_is_that_of_botocores_own_client(partition: str) -> None:
    session = Session()
    session.set_config_variable("ignore_configured_endpoint_urls", True)
    region = session.get_available_regions("sts", partition)[-1]
    client = session.create_client("sts", region, aws_access_key_id="x", aws_secret_access_key="x")
    url = presigned_url(tokens(lambda: datetime.now(UTC), region=region, partition=partition).get("demo"))
    assert urlsplit(url).netloc == urlsplit(client.meta.endpoint_url).netloc


def test_an_unknown_partition_is_an_error_with_the_next_step() -> None:
    with pytest.raises(PermanentError, match="the partition aws-new is not known; update the remediator"):
        tokens(lambda: NOW, partition="aws-new").get("demo")


def test_a_token_has_only_parameters_that_the_authenticator_accepts() -> None:
    token = tokens(lambda: NOW).get("demo")
    encoded = token.removeprefix("k8s-aws-v1.")
    assert "=" not in encoded
    query = parse_qs(urlsplit(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()).query)
    assert query["X-Amz-SignedHeaders"] == ["host;x-k8s-aws-id"]
    assert query["X-Amz-Security-Token"] == ["session"]


def test_a_token_is_kept_for_ten_minutes_and_per_cluster() -> None:
    now = [NOW]
    made = tokens(lambda: now[0])
    first = made.get("demo")
    now[0] = NOW + LIFETIME - timedelta(seconds=1)
    kept = made._tokens["demo"].created_at
    assert made.get("demo") == first
    made.get("other")
    now[0] = NOW + LIFETIME
    made.get("demo")
    assert (kept, made._tokens["demo"].created_at) == (NOW, NOW + LIFETIME)


def test_a_token_does_not_outlive_the_credentials_that_signed_it() -> None:
    ends = datetime.now(UTC) + timedelta(minutes=30)
    fresh = {"access_key": "a", "secret_key": "b", "token": "c", "expiry_time": ends.isoformat()}
    credentials = RefreshableCredentials.create_from_metadata(fresh, refresh_using=lambda: fresh, method="test")
    now = [ends - timedelta(minutes=4)]
    made = tokens(lambda: now[0], credentials)
    made.get("demo")
    assert made._tokens["demo"].expires_at == ends


def test_a_rejected_token_is_dropped_and_retried_only_if_it_was_old() -> None:
    now = [NOW]
    made = tokens(lambda: now[0])
    assert made.forget("demo", made.get("demo")) is False
    old = made.get("demo")
    now[0] += timedelta(minutes=1)
    assert made.forget("demo", old) is True
    made.get("demo")
    assert made.forget("demo", "an older one") is True  # another thread has made a new one meanwhile
    assert made._tokens["demo"].created_at == now[0]


def test_without_credentials_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(AccessDenied, match="sign a token for cluster demo") as raised:
        Tokens(AwsSession("eu-west-1"), "aws").get("demo")
    assert raised.value.denial is Denial.UNAUTHENTICATED
