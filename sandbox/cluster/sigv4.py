"""Signature version 4 of a presigned GET, computed again to see whether it holds.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

_EMPTY_HASH = hashlib.sha256(b"").hexdigest()
_SIGNATURE = "X-Amz-Signature"


def presigned_signature(query: Mapping[str, str], headers: Mapping[str, str], secret: str) -> str:
    """The signature that a presigned `GET /` must carry.

    Args:
        query: decoded query parameters; the signature among them is left out.
        headers: lower-case header name -> value, at least those that `X-Amz-SignedHeaders` names.
        secret: the secret access key.

    Raises:
        KeyError: a parameter or a signed header is absent.
    """
    date, region, service, terminator = query["X-Amz-Credential"].split("/")[1:]
    signed = query["X-Amz-SignedHeaders"]
    canonical = "\n".join(
        ("GET", "/", _canonical_query(query), *(f"{name}:{headers[name].strip()}" for name in signed.split(";")), "", signed, _EMPTY_HASH)
    )
    scope = f"{date}/{region}/{service}/{terminator}"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((query["X-Amz-Algorithm"], query["X-Amz-Date"], scope, hashed))
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, terminator):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _canonical_query(query: Mapping[str, str]) -> str:
    pairs = sorted((quote(key, safe="-_.~"), quote(value, safe="-_.~")) for key, value in query.items() if key != _SIGNATURE)
    return "&".join(f"{key}={value}" for key, value in pairs)
