"""What can go wrong, by whether a retry can help."""

from enum import StrEnum

from lambdas.domain.redaction import redacted


class RemediatorError(Exception):
    """Anything we raise on purpose. The text says what was attempted, what came back, and the next step, without credentials."""

    def __init__(self, text: str = "") -> None:
        super().__init__(redacted(text))


class TransientError(RemediatorError):
    """Throttled, timed out, 5xx: the same again may succeed. `retry_after_s` is what the other side asked for, in seconds."""

    def __init__(self, text: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_s = retry_after_s


class PermanentError(RemediatorError):
    """No retry helps; a person has to change something."""


class MalformedEvent(PermanentError):
    """The event is not what its type promises; names what was looked for."""


class NotFound(PermanentError):
    """The named object does not exist."""


class Conflict(PermanentError):
    """The object changed since it was read: observe again, do not overwrite."""


class Rejected(PermanentError):
    """The API server does not accept the change, for example because another controller's webhook made it invalid."""


class Busy(TransientError):
    """The resource is mid-update: wait for its end."""


class Denial(StrEnum):
    """How a login or a call was refused, which decides what has to be added where."""

    UNAUTHENTICATED = "unauthenticated"  # 401: no access entry, or the token is not accepted
    FORBIDDEN = "forbidden"  # 403: an RBAC rule or an IAM statement is missing
    UNREACHABLE = "unreachable"  # no route, DNS, closed port
    CERTIFICATE = "certificate"  # the server is not the one that EKS describes


class AccessDenied(PermanentError):
    """We may not do this; `denial` says which door was closed."""

    def __init__(self, text: str, *, denial: Denial) -> None:
        super().__init__(text)
        self.denial = denial
