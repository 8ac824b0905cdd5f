"""Responses outside the objects: health, version and API discovery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.cluster.http_messages import Response, json_response
from sandbox.cluster.resources import BY_PATH, RESOURCES, Object, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable

_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update"]


def discovery(path: str, version: str) -> Response | None:
    """The response at a path outside the objects, or None; `version` is like `1.28`."""
    if path in _HEALTH:
        return Response(status=200, body=b"ok", content_type="text/plain; charset=utf-8")
    if path == "/version":
        return json_response(200, _version(version))
    if path == "/api":
        return json_response(200, {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
    if path == "/apis":
        return json_response(200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()})
    found = [each for each in RESOURCES if each.path.rsplit("/", 1)[0] == path]
    return json_response(200, _resource_list(found)) if found else None


def _version(version: str) -> Object:
    major, minor, *_ = version.split(".")
    known = {"gitTreeState": "clean", "compiler": "gc", "platform": "linux/amd64", "goVersion": "go1.24.0"}
    return {"major": major, "minor": minor, "gitVersion": f"v{major}.{minor}.0-embedded", "gitCommit": ""} | known


def _groups() -> list[Object]:
    versions = sorted({(group, version) for group, version, _ in BY_PATH if group})
    found = []
    for group, version in versions:
        named = {"groupVersion": f"{group}/{version}", "version": version}
        found.append({"name": group, "versions": [named], "preferredVersion": named})
    return found


def _resource_list(found: Iterable[Resource]) -> Object:
    listed = sorted(found, key=lambda each: each.plural)
    entries = [_entry(each) for each in listed]
    entries += [_entry(each) | {"name": f"{each.plural}/status", "verbs": ["get", "patch", "update"]} for each in listed if each.has_status]
    return {"kind": "APIResourceList", "groupVersion": listed[0].api_version, "resources": entries} | (
        {"apiVersion": "v1"} if listed[0].group else {}
    )


def _entry(resource: Resource) -> Object:
    return {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _VERBS,
        "shortNames": list(resource.short_names),
    }
