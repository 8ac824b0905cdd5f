"""The attributes of a request that authorization and routing need.

Source: https://github.com/kubernetes/apiserver/blob/master/pkg/endpoints/request/requestinfo.go
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.cluster.resources import BY_PATH, Resource

if TYPE_CHECKING:
    from sandbox.cluster.http_messages import Request

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, kw_only=True)
class RequestInfo:
    """Attributes of a request; for a path outside the resources only `verb` and `path` are set.

    `resource` is None for an unknown plural; authorization precedes and needs only the names.
    """

    verb: str
    path: str
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def is_resource(self) -> bool:
        return bool(self.plural)

    @property
    def resource(self) -> Resource | None:
        return BY_PATH.get((self.group, self.version, self.plural))


def request_info(request: Request) -> RequestInfo:
    """Parse a request."""
    parts = [part for part in request.path.split("/") if part]
    verb = _VERBS.get(request.method, request.method.lower())
    if len(parts) >= 3 and parts[0] == "api":
        return _resource_request(request, verb, "", parts[1], parts[2:])
    if len(parts) >= 4 and parts[0] == "apis":
        return _resource_request(request, verb, parts[1], parts[2], parts[3:])
    return RequestInfo(verb=verb, path=request.path)


def _resource_request(request: Request, verb: str, group: str, version: str, rest: list[str]) -> RequestInfo:
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 2:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in {"status", "finalize"}:
            rest = rest[2:]
    plural, name, subresource, *_ = [*rest, "", "", ""]
    if not name:
        verb = _collection_verb(verb, request)
    return RequestInfo(
        verb=verb,
        path=request.path,
        group=group,
        version=version,
        plural=plural,
        namespace=namespace,
        name=name,
        subresource=subresource,
    )


def _collection_verb(verb: str, request: Request) -> str:
    if verb == "get":
        return "watch" if request.query.get("watch") in {"1", "true", "True"} else "list"
    return "deletecollection" if verb == "delete" else verb
