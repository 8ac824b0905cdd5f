"""Faults between client and cluster, which tests and scenarios inject a limited number of times."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sandbox.cluster.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.cluster.http_messages import Request


class ConnectionBreak(StrEnum):
    """A connection that is closed without a response."""

    BEFORE = "before"  # the request has no effect
    AFTER = "after"  # the write took effect, the response is lost


@dataclass(kw_only=True)
class Fault:
    """One fault.

    Attributes:
        status: answer with this status; 0 for none.
        retry_after_s: the `Retry-After` header of a 429 or 503.
        close: close the connection without a response.
        delay_s: delay before the request is processed.
        meanwhile: called before the request is processed, to change something concurrently.
        expire_continue: drop the snapshots of paged lists, so that the next page answers 410.
        times: number of requests that it affects; None for all.
    """

    verb: str = "*"
    path: str = ".*"
    status: int = 0
    retry_after_s: int | None = None
    close: ConnectionBreak | None = None
    delay_s: float = 0.0
    meanwhile: Callable[[Request], None] = lambda _: None
    expire_continue: bool = False
    times: int | None = 1

    def matches(self, request: Request) -> bool:
        return self.verb in ("*", request.method) and re.search(self.path, request.path) is not None


class Faults:
    """The active faults, oldest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, request: Request) -> Fault | None:
        """The first fault that matches this request, and count it; `verb` is the HTTP method, `path` a regular expression."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(request) and fault.times != 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    return fault
        return None


_MESSAGES = {
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "forbidden: the sandbox refuses this request"),
    404: ("NotFound", "the server could not find the requested resource"),
    409: (
        "Conflict",
        "Operation cannot be fulfilled: the object has been modified; please apply your changes to the latest version and try again",
    ),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: the sandbox broke this request"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "Timeout: request did not complete within the allotted timeout"),
}


def refusal(fault: Fault) -> ApiError:
    """The response of a fault that has a status."""
    reason, message = _MESSAGES.get(fault.status, ("", f"the sandbox answers {fault.status}"))
    details = {} if fault.retry_after_s is None else {"retryAfterSeconds": fault.retry_after_s}
    return ApiError(fault.status, reason, message, details or None)
