"""The options of a request: selectors, dry run, field manager and object. Invalid ones are refused as the API server does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from sandbox.cluster import errors
from sandbox.cluster.managed_fields import FieldWriter
from sandbox.cluster.selectors import parse_fields, parse_labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.cluster.http_messages import Request
    from sandbox.cluster.request_info import RequestInfo
    from sandbox.cluster.resources import Object, Resource


def matcher(query: Mapping[str, str], resource: Resource) -> Callable[[Mapping[str, Any]], bool] | None:
    """A predicate for the label and field selectors of a query; None if every object matches."""
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    if not labels and not fields:
        return None
    by_label, by_field = parse_labels(labels), parse_fields(fields, resource)
    return lambda obj: by_label(obj) and by_field(obj)


def number(text: str) -> int:
    """An integer of a query."""
    try:
        return int(text)
    except ValueError as wrong:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from wrong


def dry_run(request: Request) -> bool:
    """Whether the write must not be stored."""
    value = request.query.get("dryRun", "")
    if value not in ("", "All"):
        raise errors.invalid_option("dryRun", "FieldValueNotSupported", f'Unsupported value: ["{value}"]: supported values: "All"')
    return value == "All"


def writer(request: Request, info: RequestInfo) -> FieldWriter:
    """The field manager: the given one, else the first part of the user agent."""
    named = request.query.get("fieldManager") or request.header("user-agent").split("/")[0] or "unknown"
    return FieldWriter(named, "Update", info.subresource)


def parsed(body: bytes) -> Any:
    """The body as JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise errors.bad_request(f"error decoding the body: {wrong}") from wrong


def object_of(request: Request, resource: Resource) -> Object:
    """The object in the body of a request, of the kind in its path."""
    obj = parsed(request.body)
    if not isinstance(obj, dict):
        raise errors.bad_request("the object provided is unrecognized (must be of type object)")
    kind, version = obj.get("kind", resource.kind), obj.get("apiVersion", resource.api_version)
    if (kind, version) != (resource.kind, resource.api_version) and kind not in {"Binding", "DeleteOptions"}:
        message = f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
        raise errors.bad_request(message)
    return obj
