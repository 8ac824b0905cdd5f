"""Turns what a Kubernetes API server answers, or fails to answer, into our errors."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any, Final

import orjson

from lambdas.domain.errors import AccessDenied, Conflict, Denial, NotFound, PermanentError, RemediatorError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from urllib3.exceptions import HTTPError

TEXT_LIMIT: Final = 300
_NEXT_STEP: Final = {
    401: "the cluster does not accept our login: give {role} an access entry",
    403: "{role} lacks an RBAC rule for this; the functions get theirs from the access manifests",
}
_WORTH_A_RETRY: Final = frozenset({408, 429})


class Expired(TransientError):
    """410: the version that was asked for is no longer kept."""


def from_answer(attempt: str, status: int, body: bytes, headers: Mapping[str, str], role_arn: str = "") -> RemediatorError:
    """Our error for an answer of 400 and above; the server's own words are cut short. `role_arn` is who asked, as far as it is known.

    Source: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
    """
    step = _NEXT_STEP.get(status, "").format(role=role_arn or "this role")
    text = "; ".join(filter(None, (f"{attempt}: {status} {_said(body)}".rstrip()[:TEXT_LIMIT], step)))
    if status == 401:  # noqa: PLR2004
        return AccessDenied(text, denial=Denial.UNAUTHENTICATED)
    if status == 403:  # noqa: PLR2004
        return AccessDenied(text, denial=Denial.FORBIDDEN)
    if status in _WORTH_A_RETRY or status >= 500:  # noqa: PLR2004
        return TransientError(text, retry_after_s=retry_after_s(headers))
    kinds: dict[int, type[RemediatorError]] = {404: NotFound, 409: Conflict, 410: Expired}
    return kinds.get(status, PermanentError)(text)


def from_failure(attempt: str, error: HTTPError | OSError) -> RemediatorError:
    """Our error for a request that got no answer."""
    from urllib3.exceptions import ConnectTimeoutError, SSLError

    text = f"{attempt}: {_cause(error)}"[:TEXT_LIMIT]
    if isinstance(error, SSLError) and _not_verified(error):
        return AccessDenied(f"{text}; the server is not the one that EKS describes", denial=Denial.CERTIFICATE)
    if isinstance(error, ConnectTimeoutError):  # also a closed port and a name that does not resolve
        return AccessDenied(f"{text}; is there a route from here to the cluster's endpoint?", denial=Denial.UNREACHABLE)
    return TransientError(text)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The `Retry-After` header in seconds, the only form that API servers send; None where there is none."""
    value = headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else None


def _said(body: bytes) -> str:
    try:
        status: Any = orjson.loads(body)
        return str(status["message"])
    except (ValueError, KeyError, TypeError):
        return " ".join(body[:TEXT_LIMIT].decode(errors="replace").split())


def _cause(error: Exception) -> str:
    # urllib3 puts the connection object into its texts, which tells a reader nothing.
    return str(error).rpartition("object at 0x")[2].partition(": ")[2] or str(error)


def _not_verified(error: Exception) -> bool:
    return any(isinstance(cause, ssl.CertificateError) for cause in (error.__cause__, error.__context__, *error.args))
