"""Translates error responses and failed requests of a Kubernetes API server into domain errors."""

from __future__ import annotations

import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson

from lambdas.domain.errors import AccessDenied, Conflict, Denial, NotFound, PermanentError, Rejected, RemediatorError, TransientError
from lambdas.domain.redaction import printable, redacted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3.exceptions import HTTPError

TEXT_LIMIT: Final = 300
MAX_RETRY_AFTER_S: Final = 60
"""Maximum wait that a server can request."""
_MAX_DIGITS: Final = 9
_MAX_MESSAGE: Final = 8_192
"""Characters of a server's message that are redacted before the text is truncated: a token that it echoes is longer than the limit."""
_NEXT_STEP: Final = {
    401: "the cluster rejects this login: create an access entry for {role}",
    403: "{role} lacks an RBAC rule for this; the access manifests hold the rules of the functions",
}
_POLICY_DENIAL: Final = "ValidatingAdmissionPolicy '"
_RETRYABLE: Final = frozenset({408, 429})


class Expired(TransientError):
    """410: the API server no longer keeps the requested version."""


@contextmanager
def expected_shape(attempt: str) -> Iterator[None]:
    """Translate what the parser of an object raises, where a field is absent or of another type.

    Raises:
        PermanentError: the response is JSON, but not an object of Kubernetes.
    """
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        found = printable(f"{type(error).__name__} {error}"[:TEXT_LIMIT])
        raise PermanentError(f"{attempt}: the response is not a valid Kubernetes object: {found}"[:TEXT_LIMIT]) from error


def from_answer(
    attempt: str, status: int, body: bytes, headers: Mapping[str, str], role_arn: str = "", *, secret: str = ""
) -> RemediatorError:
    """The domain error for an unsuccessful response, with the truncated message of the server, without `secret`.

    `role_arn` is the caller, if known.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
    """
    message = printable(redacted(_message(body), secret))
    step = _NEXT_STEP.get(status, "").format(role=role_arn or "this role")
    if status == 403 and _POLICY_DENIAL in message:  # noqa: PLR2004
        step = "irsa-remediator access --check shows whether the policy is out of date"
    text = "; ".join(filter(None, (f"{attempt}: {status} {message}".rstrip()[:TEXT_LIMIT], step)))
    if status == 401:  # noqa: PLR2004
        return AccessDenied(text, denial=Denial.UNAUTHENTICATED)
    if status == 403:  # noqa: PLR2004
        return AccessDenied(text, denial=Denial.FORBIDDEN)
    if status in _RETRYABLE or status >= 500:  # noqa: PLR2004
        return TransientError(text, retry_after_s=retry_after_s(headers))
    kinds: dict[int, type[RemediatorError]] = {404: NotFound, 409: Conflict, 410: Expired, 422: Rejected}
    return kinds.get(status, PermanentError)(text)


def from_failure(attempt: str, error: HTTPError | OSError) -> RemediatorError:
    """The domain error for a request without a response."""
    from urllib3.exceptions import ConnectTimeoutError, SSLError

    text = f"{attempt}: {_cause(error)}"[:TEXT_LIMIT]
    if isinstance(error, SSLError) and _is_certificate_error(error):
        return AccessDenied(f"{text}; the certificate is not that of the server that EKS describes", denial=Denial.CERTIFICATE)
    if isinstance(error, ConnectTimeoutError):  # includes a closed port and a name that does not resolve
        return AccessDenied(f"{text}; does the network have a route to the cluster's endpoint?", denial=Denial.UNREACHABLE)
    return TransientError(text)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The `Retry-After` header in seconds, the only form that API servers send; None if it is absent."""
    value = headers.get("Retry-After", "")
    return float(min(int(value), MAX_RETRY_AFTER_S)) if value.isdecimal() and len(value) <= _MAX_DIGITS else None


def _message(body: bytes) -> str:
    try:
        status: Any = orjson.loads(body)
        message = status["message"]
    except (ValueError, KeyError, TypeError):
        message = None
    # A message that is no text may be nested deeper than Python can print.
    return message[:_MAX_MESSAGE] if isinstance(message, str) else body[:_MAX_MESSAGE].decode(errors="replace")


def _cause(error: Exception) -> str:
    # urllib3 adds the connection object to its messages, which does not help a reader.
    return str(error).rpartition("object at 0x")[2].partition(": ")[2] or str(error)


def _is_certificate_error(error: Exception) -> bool:
    return any(isinstance(cause, ssl.CertificateError) for cause in (error.__cause__, error.__context__, *error.args))
