"""STS for token verification: checks presigned signatures, and answers JSON on request."""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote

from sandbox.aws.http_messages import Request, Response, json_response, scope_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.aws.gateway import Backend

_FIELD = re.compile(r"<(Arn|UserId|Account|RequestId)>([^<]*)</")
# STS accepts a presigned GetCallerIdentity for 15 minutes, regardless of X-Amz-Expires.
# Source: https://github.com/kubernetes-sigs/aws-iam-authenticator/blob/master/pkg/token/token.go
_PRESIGNED_FOR = timedelta(minutes=15)


def sts_backend(moto: Backend, secret_of: Callable[[str], str | None], now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Backend:
    """moto's STS with a check of presigned URLs, which answers JSON to `Accept: application/json`."""

    def answer(request: Request) -> Response:
        refusal = _refused(request, secret_of, now()) if _presigned(request) else None
        response = refusal or moto(request)
        return as_json(response) if "application/json" in request.header("accept") else response

    return answer


def _presigned(request: Request) -> bool:
    return "x-amz-signature" in {name.lower() for name in request.query_values()}


def _refused(request: Request, secret_of: Callable[[str], str | None], now: datetime) -> Response | None:
    query = {name.lower(): values[0] for name, values in request.query_values().items()}
    scope = scope_of(request)
    secret = secret_of(scope.access_key_id) if scope else None
    if scope is None or secret is None:
        return _error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
    signed_at = datetime.strptime(query["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if not -_PRESIGNED_FOR <= now - signed_at <= _PRESIGNED_FOR:
        return _error(403, "SignatureDoesNotMatch", f"Signature expired: {query['x-amz-date']}")
    if not hmac.compare_digest(presigned_signature(request, secret), query["x-amz-signature"]):
        return _error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
    return None


def presigned_signature(request: Request, secret: str) -> str:
    """The hex SigV4 signature of a presigned request without a body.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    values = {name: found[0] for name, found in request.query_values().items()}
    lower = {name.lower(): value for name, value in values.items()}
    signed_headers = lower["x-amz-signedheaders"].split(";")
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in values.items() if k.lower() != "x-amz-signature")
    canonical = "\n".join(
        (
            request.method,
            request.path or "/",
            "&".join(f"{name}={value}" for name, value in pairs),
            "".join(f"{name}:{request.header(name).strip()}\n" for name in signed_headers),
            ";".join(signed_headers),
            sha256(b"").hexdigest(),
        )
    )
    _, date, region, service, _ = lower["x-amz-credential"].split("/")
    digest = sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{lower['x-amz-date']}\n{date}/{region}/{service}/aws4_request\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, to_sign.encode(), "sha256").hexdigest()


def _error(status: int, code: str, message: str) -> Response:
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    return Response(status, body.encode(), {"Content-Type": "text/xml"})


def as_json(response: Response) -> Response:
    """The answer in JSON, in the two shapes that aws-iam-authenticator reads: the identity and the error code."""
    text = response.body.decode()
    if response.status >= 400:
        code, message = (re.search(rf"<{tag}>([^<]*)</", text) for tag in ("Code", "Message"))
        error = {"Code": code.group(1) if code else "", "Message": message.group(1) if message else "", "Type": "Sender"}
        return json_response(response.status, {"Error": error})
    found = dict(_FIELD.findall(text))
    result = {name: found.get(name, "") for name in ("Account", "Arn", "UserId")}
    answer = {"GetCallerIdentityResult": result, "ResponseMetadata": {"RequestId": found.get("RequestId", "")}}
    return json_response(200, {"GetCallerIdentityResponse": answer})
