"""Translates the errors of botocore into domain errors, whose type says whether a retry can help."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from lambdas.domain.errors import AccessDenied, Busy, Conflict, Denial, NotFound, PermanentError, RemediatorError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.exceptions import ClientError

TEXT_LIMIT: Final = 300

_THROTTLED: Final = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "SlowDown",
    }
)
"""The codes that the SDKs' standard retry mode treats as throttling.

Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""
_CONFLICTING: Final = frozenset({"TransactionConflictException", "TransactionInProgressException", "ConcurrentModificationException"})
_EXPIRED_CREDENTIALS: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeTooSkewed"})
"""The credentials of the process expired; the next run has new ones."""
_UNAUTHENTICATED: Final = frozenset(
    {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException", "SignatureDoesNotMatch"}
)
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "NotAuthorized"})
_GONE: Final = frozenset({"ResourceNotFoundException", "NoSuchEntity", "NoSuchEntityException", "NotFound", "NotFoundException"})
_CHANGED: Final = frozenset({"ConditionalCheckFailedException"})
_IN_USE: Final = frozenset({"ResourceInUseException", "ResourceConflictException"})


@contextmanager
def translated(attempt: str) -> Iterator[None]:
    """Translate what botocore raises in this context into a domain error, chained to the original.

    Args:
        attempt: the call as a verb phrase for the message, such as `describe cluster demo`.

    Raises:
        TransientError: throttled, timed out, unreachable, 5xx, or expired credentials.
        Busy: another update of the resource is running.
        AccessDenied: an IAM statement is missing, or AWS does not know the caller.
        NotFound, Conflict: as the service reports.
        PermanentError: everything else.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise from_client_error(attempt, error) from error
    except ResponseParserError as error:  # a proxy or gateway answered instead of AWS
        raise TransientError(f"{attempt}: the response is not from AWS: {error}"[:TEXT_LIMIT]) from error
    except BotoCoreError as error:
        raise _from_botocore(attempt, error) from error


def from_client_error(attempt: str, error: ClientError) -> RemediatorError:
    """The domain error for an error response. Its text has the code and the message of the service, truncated."""
    answer: dict[str, Any] = dict(error.response)
    code = str(answer.get("Error", {}).get("Code", ""))
    metadata = answer.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    text = f"{attempt}: {code} {answer.get('Error', {}).get('Message', '')}".strip()[:TEXT_LIMIT]
    if code in _THROTTLED or status == 429:  # noqa: PLR2004
        return TransientError(text, retry_after_s=_seconds(metadata.get("HTTPHeaders", {}).get("retry-after")))
    if code in _CONFLICTING | _EXPIRED_CREDENTIALS or status >= 500:  # noqa: PLR2004
        return TransientError(text)
    if code in _UNAUTHENTICATED:
        return AccessDenied(text, denial=Denial.UNAUTHENTICATED)
    if code in _DENIED or status == 403:  # noqa: PLR2004
        return AccessDenied(text, denial=Denial.FORBIDDEN)
    return _by_code(code)(text)


def _by_code(code: str) -> type[RemediatorError]:
    for codes, kind in ((_GONE, NotFound), (_CHANGED, Conflict), (_IN_USE, Busy)):
        if code in codes:
            return kind
    return PermanentError


def _from_botocore(attempt: str, error: Exception) -> RemediatorError:
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError, NoCredentialsError

    text = f"{attempt}: {error}"[:TEXT_LIMIT]
    if isinstance(error, NoCredentialsError):
        return AccessDenied(text, denial=Denial.UNAUTHENTICATED)
    return TransientError(text) if isinstance(error, HTTPClientError | NoConnection) else PermanentError(text)


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:  # the HTTP date form, which AWS never sends
        return None
