"""Validation of objects, as far as clients in this project depend on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.cluster.errors import ApiError, bad_request, invalid
from sandbox.cluster.resources import DAEMON_SETS, DEPLOYMENTS, PODS, REPLICA_SETS, STATEFUL_SETS, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    f"alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN}')"
)
_SELECTED = frozenset({DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS, REPLICA_SETS})
_POD_FIELDS = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
    "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def check_name(name: str, resource: Resource) -> None:
    """Raises:
    ApiError: 422, the name is no DNS subdomain; RBAC objects may be called anything.
    """
    if resource.group != "rbac.authorization.k8s.io" and not re.fullmatch(_SUBDOMAIN, name):
        raise invalid(resource, name, [("FieldValueInvalid", f'Invalid value: "{name}": {_WORDS}', "metadata.name")])


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raises:
    ApiError: 422, a label or an annotation is no string.
    """
    for field in ("labels", "annotations"):
        for key, value in (metadata.get(field) or {}).items():
            if not isinstance(value, str):
                kind = "number" if isinstance(value, int | float) else type(value).__name__
                text = f"json: cannot unmarshal {kind} into Go struct field ObjectMeta.metadata.{field} of type string"
                causes = [{"reason": "FieldValueInvalid", "message": f"Invalid value: {key}: {text}", "field": "patch"}]
                raise ApiError(422, "Invalid", f' "" is invalid: patch: Invalid value: {key}: {text}', {"causes": causes})


def check_unchanged(old: Mapping[str, Any], new: Mapping[str, Any], resource: Resource) -> None:
    """Raises:
    ApiError: 400 for another name, 422 for another uid, another selector, or more of a pod's spec than may change.
    """
    name = old["metadata"]["name"]
    body_name = new["metadata"].get("name", name)
    if body_name != name:
        raise bad_request(f"the name of the object ({body_name}) does not match the name on the URL ({name})")
    if causes := list(_changed(old, new, resource)):
        raise invalid(resource, name, causes)


def _changed(old: Mapping[str, Any], new: Mapping[str, Any], resource: Resource) -> Iterator[tuple[str, str, str]]:
    uid = new["metadata"].get("uid")
    if uid and uid != old["metadata"]["uid"]:
        yield "FieldValueInvalid", f'Invalid value: "{uid}": field is immutable', "metadata.uid"
    if resource in _SELECTED and new["spec"].get("selector") != old["spec"]["selector"]:
        shown = orjson.dumps(new["spec"].get("selector")).decode()
        yield "FieldValueInvalid", f"Invalid value: {shown}: field is immutable", "spec.selector"
    if resource is PODS and _fixed(new["spec"]) != _fixed(old["spec"]):
        yield "FieldValueForbidden", f"Forbidden: pod updates may not change fields other than {_POD_FIELDS}", "spec"


def _fixed(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a pod's spec that never changes; `nodeName` is set once, by its binding."""
    free = {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName"}
    immutable = {key: value for key, value in spec.items() if key not in free}
    for field in ("containers", "initContainers"):
        immutable[field] = [{key: value for key, value in each.items() if key != "image"} for each in immutable.get(field) or ()]
    return immutable
