"""Checks a presigned STS request as STS does: who signed it, with which headers, and how long ago."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

LIFETIME = timedelta(minutes=15)  # STS ignores X-Amz-Expires and allows this much for any presigned request
CLOCK_SKEW = timedelta(minutes=5)
EMPTY_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Credential:
    """Temporary credentials of one role session, and whom they stand for."""

    secret: str
    arn: str
    user_id: str
    session_token: str | None = None
    expires: datetime | None = None

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]


class Refused(Exception):
    """What STS answers with status 403."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def signer(target: str, headers: Mapping[str, str], credential_of: Callable[[str], Credential | None], now: datetime) -> Credential:
    """Return whose credentials signed `GET target` with these headers (lower-case names).

    Args:
        target: path and query as received.
        now: aware UTC.

    Raises:
        Refused: with the code that STS gives.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    pairs = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    query = dict(pairs)
    try:
        key_id, *scope = query["X-Amz-Credential"].split("/")
        signed_at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        signed_headers, signature = query["X-Amz-SignedHeaders"], query["X-Amz-Signature"]
    except (KeyError, ValueError) as problem:
        raise Refused("MissingAuthenticationToken", "Request is missing Authentication Token") from problem
    credential = credential_of(key_id)
    if credential is None or query.get("X-Amz-Security-Token") != credential.session_token:
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.")
    to_sign = _to_sign(pairs, headers, signed_headers, query["X-Amz-Date"], scope)
    if not hmac.compare_digest(signature, _signature(credential.secret, scope, to_sign)):
        raise Refused("SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
    _check_time(signed_at, credential, now)
    return credential


def _check_time(signed_at: datetime, credential: Credential, now: datetime) -> None:
    if now > signed_at + LIFETIME:
        raise Refused(
            "SignatureDoesNotMatch", f"Signature expired: {signed_at:%Y%m%dT%H%M%SZ} is now earlier than {now - LIFETIME:%Y%m%dT%H%M%SZ}"
        )
    if signed_at > now + CLOCK_SKEW:
        raise Refused(
            "SignatureDoesNotMatch",
            f"Signature not yet current: {signed_at:%Y%m%dT%H%M%SZ} is still later than {now + CLOCK_SKEW:%Y%m%dT%H%M%SZ}",
        )
    if credential.expires is not None and now > credential.expires:
        raise Refused("ExpiredToken", "The security token included in the request is expired")


def _to_sign(pairs: list[tuple[str, str]], headers: Mapping[str, str], signed_headers: str, date: str, scope: list[str]) -> str:
    query = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs if name != "X-Amz-Signature")
    canonical = "\n".join(
        (
            "GET",
            "/",
            "&".join(f"{name}={value}" for name, value in query),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed_headers.split(";")),
            "",
            signed_headers,
            EMPTY_BODY,
        )
    )
    return "\n".join(("AWS4-HMAC-SHA256", date, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()))


def _signature(secret: str, scope: list[str], to_sign: str) -> str:
    key = ("AWS4" + secret).encode()
    for part in (*scope, to_sign):
        digest = hmac.new(key, part.encode(), hashlib.sha256)
        key = digest.digest()
    return digest.hexdigest()
