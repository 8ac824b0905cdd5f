"""Faults that tests inject into the local AWS: throttling, errors, timeouts, resets, denials."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from sandbox.aws.http_messages import Response
from sandbox.aws.service_model import service_model

if TYPE_CHECKING:
    from sandbox.aws.call_log import ApiRequest


class FaultKind(StrEnum):
    THROTTLE = "throttle"
    SERVER_ERROR = "server-error"
    ACCESS_DENIED = "access-denied"
    EXPIRED = "expired"  # the caller's credentials
    TIMEOUT = "timeout"
    RESET = "reset"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The next `times` matching calls fail in this way.

    `operation` is the API operation (`Invoke`, not the IAM action); None matches every operation, and so for `principal`.
    `about` is the value of a parameter, such as a topic ARN, and selects one of several concurrent calls.
    `after_effect`: the call takes effect and its response is lost. `hold_s`: duration of a timeout.
    """

    service: str
    kind: FaultKind
    operation: str | None = None
    principal: str | None = None
    about: str | None = None
    times: int = 1
    after_effect: bool = False
    hold_s: float = 30.0


class ConnectionDropped(Exception):
    """The connection must be reset without a response."""


class FaultPlan:
    """Pending faults. Each is removed after its number of calls."""

    def __init__(self) -> None:
        self._left: list[tuple[Fault, int]] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._left.append((fault, fault.times))

    def clear(self) -> None:
        """Remove all faults; calls that are held stay held."""
        with self._lock:
            self._left.clear()

    def left(self) -> int:
        """How many calls will still fail."""
        with self._lock:
            return sum(left for _, left in self._left)

    def stop(self) -> None:
        """Release the calls that are held."""
        self._stopped.set()

    def take(self, request: ApiRequest, principal: str) -> Fault | None:
        """The first matching fault, counted down by one."""
        with self._lock:
            for index, (fault, left) in enumerate(self._left):
                if _matches(fault, request, principal):
                    self._left[index : index + 1] = [(fault, left - 1)] if left > 1 else []
                    return fault
        return None

    def respond(self, fault: Fault, request: ApiRequest) -> Response:
        """The response of a fault.

        Raises:
            ConnectionDropped: the fault has no response.
        """
        if fault.kind is FaultKind.TIMEOUT:
            self._stopped.wait(fault.hold_s)
        if fault.kind in (FaultKind.TIMEOUT, FaultKind.RESET):
            raise ConnectionDropped
        return _refusal(fault.kind, request)


def _matches(fault: Fault, request: ApiRequest, principal: str) -> bool:
    if fault.about is not None and fault.about not in request.params.values():
        return False
    return fault.service == request.service and fault.operation in (None, request.operation) and fault.principal in (None, principal)


# Code and status of the same error in each wire protocol.
# Source: https://docs.aws.amazon.com/awssupport/latest/APIReference/CommonErrors.html
_JSON = {
    FaultKind.THROTTLE: ("ThrottlingException", 400),
    FaultKind.SERVER_ERROR: ("InternalServerError", 500),
    FaultKind.ACCESS_DENIED: ("AccessDeniedException", 400),
    FaultKind.EXPIRED: ("ExpiredTokenException", 400),
}
_REST = _JSON | {
    FaultKind.THROTTLE: ("ThrottlingException", 429),
    FaultKind.SERVER_ERROR: ("ServiceException", 500),
    FaultKind.ACCESS_DENIED: ("AccessDeniedException", 403),
    FaultKind.EXPIRED: ("ExpiredTokenException", 403),
}
_QUERY = {
    FaultKind.THROTTLE: ("Throttling", 400),
    FaultKind.SERVER_ERROR: ("InternalFailure", 500),
    FaultKind.ACCESS_DENIED: ("AccessDenied", 403),
    FaultKind.EXPIRED: ("ExpiredToken", 403),
}
_TEXT = {
    FaultKind.THROTTLE: "Rate exceeded",
    FaultKind.SERVER_ERROR: "An internal error occurred",
    FaultKind.ACCESS_DENIED: "User is not authorized to perform this action",
    FaultKind.EXPIRED: "The security token included in the request is expired",
}


def _refusal(kind: FaultKind, request: ApiRequest) -> Response:
    protocol = str(service_model(request.service).metadata["protocol"])
    if protocol == "query":
        code, status = _QUERY[kind]
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(_TEXT[kind])}</Message></Error></ErrorResponse>"
        )
        return Response(status, body.encode(), {"Content-Type": "text/xml"})
    code, status = (_REST if protocol == "rest-json" else _JSON)[kind]
    if request.service == "lambda" and kind is FaultKind.THROTTLE:
        code = "TooManyRequestsException"
    body = json.dumps({"__type": code, "message": _TEXT[kind]})
    return Response(status, body.encode(), {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code})
