"""HTTP requests and responses of the local AWS, and the SigV4 credential scope."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Mapping

_CREDENTIAL = re.compile(r"Credential=([^,\s]+)")


@dataclass(frozen=True)
class Scope:
    """The SigV4 credential scope: access key, region and service."""

    access_key_id: str
    region: str
    service: str


@dataclass(frozen=True)
class Request:
    """One HTTP request. `path` is percent-encoded as sent; header names are lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def query_values(self) -> dict[str, list[str]]:
        """Decoded query string: name -> values, including blank ones."""
        return parse_qs(self.query, keep_blank_values=True)

    def header(self, name: str) -> str:
        """Value of a header, empty if absent."""
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True)
class Response:
    """One HTTP response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Response:
    """An `application/json` response; `body` must be JSON-compatible."""
    return Response(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})


def scope_of(request: Request) -> Scope | None:
    """Scope from the Authorization header or from a presigned query; None for an unsigned request.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    signed = _CREDENTIAL.search(request.header("authorization"))
    presigned = {name.lower(): values[0] for name, values in request.query_values().items()}.get("x-amz-credential", "")
    parts = (signed.group(1) if signed else presigned).split("/")
    return Scope(access_key_id=parts[0], region=parts[2], service=parts[3]) if len(parts) == 5 else None
