"""EKS bearer tokens: checked for form, for signature, at STS, and against the access entries.

Source: https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import urllib3

from sandbox.cluster.clock import utc_now
from sandbox.cluster.sigv4 import presigned_signature
from sandbox.cluster.wire import Identity

_PREFIX = "k8s-aws-v1."
_CLUSTER_HEADER = "x-k8s-aws-id"
_MAX_BYTES = 4096
_VALID = timedelta(minutes=15)
_ALLOWED = frozenset(
    {
        "action",
        "version",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-security-token",
        "x-amz-signature",
        "x-amz-signedheaders",
    }
)
_BASE64URL = re.compile(r"^[A-Za-z0-9_-]*$")
# Partition -> what its regional STS hosts look like: regional, FIPS and dual-stack.
_HOSTS: Mapping[str, re.Pattern[str]] = {
    "aws": re.compile(r"^sts(-fips)?\.(?!us-gov-|cn-)[a-z]{2}(-[a-z]+)+-\d\.(amazonaws\.com|api\.aws)$"),
    "aws-us-gov": re.compile(r"^sts(-fips)?\.us-gov-[a-z]+-\d\.(amazonaws\.com|api\.aws)$"),
    "aws-cn": re.compile(r"^sts\.cn-[a-z]+-\d\.(amazonaws\.com\.cn|api\.amazonwebservices\.com\.cn)$"),
}

AccessEntries = Callable[[], Iterable[Mapping[str, Any]]]
"""Entries as `eks:DescribeAccessEntry` gives them: principalArn, username, kubernetesGroups."""


class TokenRefused(Exception):
    """The token is none, is not for this cluster, or its bearer has no access entry; says which."""


@dataclass(frozen=True)
class Caller:
    """Who signed a token, as STS tells it."""

    arn: str
    account: str
    user_id: str

    @property
    def principal_arn(self) -> str:
        """The IAM role behind an assumed role; any other principal as it is."""
        found = re.match(r"^arn:([^:]+):sts::(\d{12}):assumed-role/(.+)/[^/]+$", self.arn)
        return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else self.arn

    @property
    def session_name(self) -> str:
        return self.user_id.partition(":")[2]


@dataclass(frozen=True, kw_only=True)
class TokenVerifier:
    """Checks tokens for one cluster; called with a token, it is an `authenticate` of the embedded cluster.

    Args:
        cluster: the name that a token must have been signed for.
        sts_url: where `GetCallerIdentity` is asked, instead of the host inside the token.
        secret_of: access key id -> secret access key, None for an unknown one.
        access_entries: read anew for each token, so that a removed entry counts at once.
    """

    cluster: str
    sts_url: str
    secret_of: Callable[[str], str | None]
    access_entries: AccessEntries
    partition: str = "aws"
    now: Callable[[], datetime] = utc_now

    def __call__(self, token: str) -> Identity | None:
        try:
            return self.identity(token)
        except TokenRefused:
            return None

    def identity(self, token: str) -> Identity:
        """The Kubernetes identity behind a token.

        Raises:
            TokenRefused: says why.
        """
        url = presigned_url(token)
        query = check_form(url, self.partition, self.now())
        self._check_signature(urlsplit(url).netloc, query)
        return mapped(self._caller(url), self.access_entries())

    def _check_signature(self, host: str, query: Mapping[str, str]) -> None:
        """moto answers whatever the signature is; STS does not."""
        secret = self.secret_of(query.get("X-Amz-Credential", "").split("/")[0])
        if secret is None:
            raise TokenRefused("the access key is unknown")
        headers = {"host": host, _CLUSTER_HEADER: self.cluster}
        try:
            wanted = presigned_signature(query, headers, secret)
        except (KeyError, ValueError) as missing:
            raise TokenRefused("the signature cannot be computed from what the URL carries") from missing
        if not hmac.compare_digest(wanted, query["X-Amz-Signature"]):
            raise TokenRefused(f"the signature does not hold for cluster {self.cluster}")

    def _caller(self, url: str) -> Caller:
        headers = {_CLUSTER_HEADER: self.cluster, "Accept": "application/json", "Host": urlsplit(url).netloc}
        # moto finds the caller by the Authorization header alone; STS reads the same from the query of a presigned URL.
        credential = dict(parse_qsl(urlsplit(url).query)).get("X-Amz-Credential", "")
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=presigned"
        try:
            answer = urllib3.request("GET", f"{self.sts_url}/?{urlsplit(url).query}", headers=headers, timeout=5.0, retries=False)
        except urllib3.exceptions.HTTPError as failed:
            raise TokenRefused("STS could not be reached") from failed
        if answer.status != 200:
            raise TokenRefused(f"STS answered {answer.status}")
        return _parse_caller(answer.data)


def presigned_url(token: str) -> str:
    """The URL inside a token.

    Raises:
        TokenRefused: prefix, size or encoding is wrong; padding is.
    """
    if len(token) > _MAX_BYTES:
        raise TokenRefused("token is too large")
    if not token.startswith(_PREFIX):
        raise TokenRefused(f'token is missing expected "{_PREFIX}" prefix')
    encoded = token[len(_PREFIX) :]
    if not _BASE64URL.match(encoded):
        raise TokenRefused("illegal base64 data")
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as wrong:
        raise TokenRefused("illegal base64 data") from wrong


def check_form(url: str, partition: str, now: datetime) -> dict[str, str]:
    """The query of a presigned URL that has the one form allowed.

    Raises:
        TokenRefused: names the first thing that is not as it must be.
    """
    parsed = urlsplit(url)
    if parsed.scheme != "https":
        raise TokenRefused(f'unexpected scheme "{parsed.scheme}" in pre-signed URL')
    if not is_sts_host(parsed.netloc, partition):
        raise TokenRefused(f'unexpected hostname "{parsed.netloc}" in pre-signed URL')
    if parsed.path != "/":
        raise TokenRefused("unexpected path in pre-signed URL")
    pairs = parse_qsl(parsed.query, keep_blank_values=True)
    _check_keys([key.lower() for key, _ in pairs])
    lower = {key.lower(): value for key, value in pairs}
    if lower.get("action") != "GetCallerIdentity":
        raise TokenRefused("unexpected action parameter in pre-signed URL")
    if _CLUSTER_HEADER not in lower.get("x-amz-signedheaders", "").lower().split(";"):
        raise TokenRefused(f"client did not sign the {_CLUSTER_HEADER} header in the pre-signed URL")
    _check_times(lower.get("x-amz-expires", ""), lower.get("x-amz-date", ""), now)
    return dict(pairs)


def is_sts_host(host: str, partition: str) -> bool:
    """Regional, FIPS and dual-stack hosts of the partition; the global one in `aws` alone."""
    if host == "sts.amazonaws.com":
        return partition == "aws"
    return _HOSTS[partition].match(host) is not None


def _check_keys(keys: list[str]) -> None:
    for key in keys:
        if key not in _ALLOWED:
            raise TokenRefused(f'non-whitelisted query parameter "{key}"')
        if keys.count(key) > 1:
            raise TokenRefused("query parameter with multiple values not supported")


def _check_times(expires: str, date: str, now: datetime) -> None:
    if not expires.isdecimal() or int(expires) > _VALID.total_seconds():
        raise TokenRefused("invalid X-Amz-Expires parameter in pre-signed URL")
    try:
        signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as wrong:
        raise TokenRefused("X-Amz-Date parameter must be present in pre-signed URL and a date") from wrong
    if now > signed + _VALID:
        raise TokenRefused("X-Amz-Date parameter is expired (15 minute expiration)")


def _parse_caller(body: bytes) -> Caller:
    """JSON is what was asked for, and what STS and the sandbox's gateway give; moto alone answers in XML."""
    if body.lstrip().startswith(b"{"):
        found = json.loads(body)["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
    else:
        namespace = "{https://sts.amazonaws.com/doc/2011-06-15/}"
        root = ET.fromstring(body)  # noqa: S314 - the answer of the sandbox's own STS
        found = {each.tag.removeprefix(namespace): each.text or "" for each in root.iter()}
    return Caller(arn=found["Arn"], account=found["Account"], user_id=found["UserId"])


def mapped(caller: Caller, entries: Iterable[Mapping[str, Any]]) -> Identity:
    """The Kubernetes user and groups of a caller.

    Raises:
        TokenRefused: no entry is for this principal.
    """
    entry = next((each for each in entries if each["principalArn"].lower() == caller.principal_arn.lower()), None)
    if entry is None:
        raise TokenRefused(f"no access entry for {caller.principal_arn}")
    # A session name may hold an `@`, a user name may not.
    username = str(entry["username"]).replace("{{SessionName}}", caller.session_name.replace("@", "-"))
    extra = {"arn": (caller.arn,), "canonicalArn": (caller.principal_arn,), "sessionName": (caller.session_name,)}
    return Identity(username, tuple(entry.get("kubernetesGroups") or ()), extra)
