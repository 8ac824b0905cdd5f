"""The presigned URL inside an EKS bearer token, and its allowed form.

Source: https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from botocore.loaders import Loader

CLUSTER_HEADER: Final = "x-k8s-aws-id"
_PREFIX = "k8s-aws-v1."
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


class TokenRejected(Exception):
    """The token is invalid, is for another cluster, or its principal has no access entry; the message says which."""


def presigned_url(token: str) -> str:
    """The URL inside a token.

    Raises:
        TokenRejected: prefix, size or encoding is wrong; padding counts as wrong.
    """
    if len(token) > _MAX_BYTES:
        raise TokenRejected("token is too large")
    if not token.startswith(_PREFIX):
        raise TokenRejected(f'token is missing expected "{_PREFIX}" prefix')
    encoded = token[len(_PREFIX) :]
    if not _BASE64URL.match(encoded):
        raise TokenRejected("illegal base64 data")
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as wrong:
        raise TokenRejected("illegal base64 data") from wrong


def check_form(url: str, partition: str, now: datetime) -> None:
    """Accept a presigned URL of the allowed form.

    Raises:
        TokenRejected: names the first deviation.
    """
    parsed = urlsplit(url)
    if parsed.scheme != "https":
        raise TokenRejected(f'unexpected scheme "{parsed.scheme}" in pre-signed URL')
    if not is_sts_host(parsed.netloc, partition):
        raise TokenRejected(f'unexpected hostname "{parsed.netloc}" in pre-signed URL')
    if parsed.path != "/":
        raise TokenRejected("unexpected path in pre-signed URL")
    pairs = parse_qsl(parsed.query, keep_blank_values=True)
    _check_keys([key.lower() for key, _ in pairs])
    lower = {key.lower(): value for key, value in pairs}
    if lower.get("action") != "GetCallerIdentity":
        raise TokenRejected("unexpected action parameter in pre-signed URL")
    if CLUSTER_HEADER not in lower.get("x-amz-signedheaders", "").lower().split(";"):
        raise TokenRejected(f"client did not sign the {CLUSTER_HEADER} header in the pre-signed URL")
    _check_times(lower.get("x-amz-expires", ""), lower.get("x-amz-date", ""), now)


def is_sts_host(host: str, partition: str) -> bool:
    """Whether the host is a regional, FIPS or dual-stack host of the partition, or the global host in `aws`."""
    if host == "sts.amazonaws.com":
        return partition == "aws"
    return any(pattern.fullmatch(host) for pattern in _hosts(partition))


@cache
def _hosts(partition: str) -> tuple[re.Pattern[str], ...]:
    """The regional hosts of a partition: regional, FIPS and dual-stack."""
    facts = next((item for item in Loader().load_data("partitions")["partitions"] if item["id"] == partition), None)
    if facts is None:
        return ()
    region, outputs = facts["regionRegex"].strip("^$"), facts["outputs"]
    suffixes = (outputs["dnsSuffix"], outputs["dualStackDnsSuffix"])
    return tuple(re.compile(rf"sts(-fips)?\.{region}\.{re.escape(suffix)}") for suffix in suffixes)


def _check_keys(keys: list[str]) -> None:
    for key in keys:
        if key not in _ALLOWED:
            raise TokenRejected(f'non-whitelisted query parameter "{key}"')
        if keys.count(key) > 1:
            raise TokenRejected("query parameter with multiple values not supported")


def _check_times(expires: str, date: str, now: datetime) -> None:
    if not expires.isdecimal() or int(expires) > _VALID.total_seconds():
        raise TokenRejected("invalid X-Amz-Expires parameter in pre-signed URL")
    try:
        signed = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as wrong:
        raise TokenRejected("X-Amz-Date parameter must be present in pre-signed URL and a date") from wrong
    if now > signed + _VALID:
        raise TokenRejected("X-Amz-Date parameter is expired (15 minute expiration)")
