"""The form of a response: whole objects, metadata only, or a table."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import orjson

from sandbox.cluster.errors import not_acceptable
from sandbox.cluster.event_versions import from_stored
from sandbox.cluster.http_messages import Response, json_response
from sandbox.cluster.resources import EVENTS, Object, Resource
from sandbox.cluster.tables import partial, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sandbox.cluster.paging import Page


class Form(StrEnum):
    WHOLE = ""
    TABLE = "Table"
    PARTIAL = "PartialObjectMetadata"
    PARTIAL_LIST = "PartialObjectMetadataList"


_ACCEPTED = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


def wanted_form(accept: str) -> Form:
    """The first supported JSON form in an `Accept` header.

    Raises:
        ApiError: 406, no form is supported.
    """
    for choice in (accept or "*/*").split(","):
        media, *parameters = [part.strip() for part in choice.split(";")]
        if media not in {"application/json", "application/*", "*/*"}:
            continue
        parameter_values = dict(pair.split("=", 1) for pair in parameters if "=" in pair)
        if not parameter_values.get("as"):
            return Form.WHOLE
        if parameter_values["as"] in set(Form) and parameter_values.get("g") == "meta.k8s.io" and parameter_values.get("v") == "v1":
            return Form(parameter_values["as"])
    raise not_acceptable(_ACCEPTED)


def list_response(resource: Resource, page: Page, form: Form, include: str, now: datetime) -> Response:
    """A list of stored objects; whole objects are sent as stored, without parsing them."""
    if form is Form.TABLE:
        return json_response(200, table(resource, [each.obj for each in page.entries], page.list_meta(), include or "Metadata", now))
    if form is not Form.WHOLE:
        items = [partial(each.obj) for each in page.entries]
        head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": page.list_meta()}
        return json_response(200, head | {"items": items})
    head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": page.list_meta()}
    return Response(status=200, body=orjson.dumps(head)[:-1] + b',"items":[' + b",".join(_raw(resource, page)) + b"]}")


def _raw(resource: Resource, page: Page) -> Sequence[bytes]:
    if resource is EVENTS:
        return [orjson.dumps(_bare(from_stored(each.obj, resource))) for each in page.entries]
    return [each.item for each in page.entries]


def _bare(obj: Object) -> Object:
    return {key: value for key, value in obj.items() if key not in {"kind", "apiVersion"}}


def object_response(resource: Resource, obj: Object, form: Form, include: str, now: datetime) -> Response:
    """A response with one object."""
    if form is Form.TABLE:
        meta = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
        return json_response(200, table(resource, [obj], meta, include or "Metadata", now))
    return json_response(200, partial(obj) if form is Form.PARTIAL else obj)


def deleted_status(resource: Resource, metadata: Mapping[str, str]) -> Object:
    """The `Status` that answers a deletion that does not return the object."""
    details = {"name": metadata["name"], "group": resource.group, "kind": resource.plural, "uid": metadata["uid"]}
    shown = {key: value for key, value in details.items() if value}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": shown}
