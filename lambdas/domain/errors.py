"""Errors, grouped by whether a retry can help."""

from enum import StrEnum

from lambdas.domain.redaction import redacted


class RemediatorError(Exception):
    """Base of all expected errors. The text says what was attempted, what the result was and the next step; it contains no credentials."""

    def __init__(self, text: str) -> None:
        super().__init__(redacted(text))


class TransientError(RemediatorError):
    """Throttled, timed out or 5xx: the same call may succeed later. `retry_after_s` is the delay that the service asked for, in seconds."""

    def __init__(self, text: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class PermanentError(RemediatorError):
    """A retry does not help; a person has to change something."""


class MalformedEvent(PermanentError):
    """The event does not have the shape of its type. The text names the field that was expected."""


class NotFound(PermanentError):
    """The named object does not exist."""


class Conflict(PermanentError):
    """The object has changed since it was read. Read it again; do not overwrite it."""


class MadeByOther(PermanentError):
    """Someone else has made the same change since the object was read."""


class Rejected(PermanentError):
    """The API server does not accept the change, for example because another controller's webhook made it invalid."""


class Busy(TransientError):
    """The resource is being updated. Wait for the end of the update."""


class Denial(StrEnum):
    """The way in which a login or a call was refused. It decides which permission or route is missing."""

    UNAUTHENTICATED = "unauthenticated"  # 401: no access entry, or the token is not accepted
    FORBIDDEN = "forbidden"  # 403: an RBAC rule or an IAM statement is missing
    UNREACHABLE = "unreachable"  # no route, DNS, closed port
    CERTIFICATE = "certificate"  # the server's certificate is not signed by the authority that EKS returns


class AccessDenied(PermanentError):
    """The call is not allowed. `denial` says how it was refused."""

    def __init__(self, text: str, *, denial: Denial) -> None:
        super().__init__(text)
        self.denial = denial
