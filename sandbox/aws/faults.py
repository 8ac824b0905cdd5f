"""Faults that the local AWS plays on request: throttled, broken, silent, cut off, refused."""

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
    """The next `times` calls that match end in this way.

    `operation` is the API operation (`Invoke`, not the IAM action); `None` matches every one, as does `principal`.
    `about` is the value of a parameter, as a topic's ARN: of calls made side by side it meets this one, whichever comes first.
    `after_effect`: the call takes effect and only its answer is lost. `hold_s`: how long a timeout keeps the caller.
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
    """The connection is to be reset without an answer."""


class FaultPlan:
    """Faults waiting for their calls. Each is used up after its number of calls."""

    def __init__(self) -> None:
        self._left: list[tuple[Fault, int]] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._left.append((fault, fault.times))

    def clear(self) -> None:
        """Forget all faults; calls that are being held stay held."""
        with self._lock:
            self._left.clear()

    def left(self) -> int:
        """How many calls are still to be befallen."""
        with self._lock:
            return sum(left for _, left in self._left)

    def stop(self) -> None:
        """Let go of calls that are being held."""
        self._stopped.set()

    def take(self, asked: ApiRequest, principal: str) -> Fault | None:
        """The first fault that matches, counted down by one."""
        with self._lock:
            for index, (fault, left) in enumerate(self._left):
                if _matches(fault, asked, principal):
                    self._left[index : index + 1] = [(fault, left - 1)] if left > 1 else []
                    return fault
        return None

    def play(self, fault: Fault, asked: ApiRequest) -> Response:
        """The answer of a fault.

        Raises:
            ConnectionDropped: the fault gives no answer.
        """
        if fault.kind is FaultKind.TIMEOUT:
            self._stopped.wait(fault.hold_s)
        if fault.kind in (FaultKind.TIMEOUT, FaultKind.RESET):
            raise ConnectionDropped
        return _refusal(fault.kind, asked)


def _matches(fault: Fault, asked: ApiRequest, principal: str) -> bool:
    if fault.about is not None and fault.about not in asked.params.values():
        return False
    return fault.service == asked.service and fault.operation in (None, asked.operation) and fault.principal in (None, principal)


# How each wire protocol names the same refusal: code and status.
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


def _refusal(kind: FaultKind, asked: ApiRequest) -> Response:
    protocol = str(service_model(asked.service).metadata["protocol"])
    if protocol == "query":
        code, status = _QUERY[kind]
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(_TEXT[kind])}</Message></Error></ErrorResponse>"
        )
        return Response(status, body.encode(), {"Content-Type": "text/xml"})
    code, status = (_REST if protocol == "rest-json" else _JSON)[kind]
    if asked.service == "lambda" and kind is FaultKind.THROTTLE:
        code = "TooManyRequestsException"
    body = json.dumps({"__type": code, "message": _TEXT[kind]})
    return Response(status, body.encode(), {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code})
