"""HTTP requests and responses of the embedded cluster, and the record of both."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_NOTHING: Mapping[str, str] = MappingProxyType({})
JSON = "application/json"


@dataclass(frozen=True)
class Identity:
    """The identity that an authenticator derives from a token."""

    username: str
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ANONYMOUS = Identity(username="system:anonymous", groups=("system:unauthenticated",))
MASTERS = "system:masters"
AUTHENTICATED = "system:authenticated"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request. Header names are lower case; the first value of a repeated query key counts."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


@dataclass(frozen=True, kw_only=True)
class Response:
    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class RequestRecord:
    """One request and its response, for counting; `response_bytes` is the size of the body as sent.

    `status` is 0 if the connection was closed without a response.
    """

    method: str
    path: str
    query: Mapping[str, str]
    user: str
    status: int
    response_bytes: int
    when: datetime


def json_response(status: int, body: object, headers: Mapping[str, str] = _NOTHING) -> Response:
    return Response(status=status, body=orjson.dumps(body), headers=headers)
