"""Errors of the API server with the `Status` object of a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.cluster.resources import Object, Resource


class ApiError(Exception):
    """A request was refused.

    Attributes:
        code: HTTP status.
        reason: machine-readable word, e.g. `Conflict`.
        status: the `Status` object of the answer.
    """

    def __init__(self, code: int, reason: str, message: str, details: Mapping[str, Any] | None = None, list_meta: Object | None = None):
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after_s: int | None = dict(details or {}).get("retryAfterSeconds")
        self.status = failure(code, reason, message, details, list_meta)


def failure(code: int, reason: str, message: str, details: Mapping[str, Any] | None = None, list_meta: Object | None = None) -> Object:
    """A `Status` object in the field order of the API server."""
    body: Object = {"kind": "Status", "apiVersion": "v1", "metadata": list_meta or {}, "status": "Failure", "message": message}
    if reason:
        body["reason"] = reason
    if details is not None:
        body["details"] = dict(details)
    return body | {"code": code}


def details_of(resource: Resource, name: str = "", **more: Any) -> Object:
    """The `details` of a `Status`; its `kind` holds the plural, as the API server writes it."""
    found = {"name": name, "group": resource.group, "kind": resource.plural} | more
    return {key: value for key, value in found.items() if value}


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.group_resource} "{name}" not found', details_of(resource, name))


def no_such_resource() -> ApiError:
    """An unknown plural or subresource of a known group."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource.group_resource} "{name}" already exists', details_of(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    """A write based on an outdated state.

    Source: https://github.com/kubernetes/apiserver/blob/master/pkg/registry/generic/registry/store.go (OptimisticLockErrorMsg)
    """
    cause = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.group_resource} "{name}": {cause}'
    return ApiError(409, "Conflict", message, details_of(resource, name))


def apply_conflict(causes: Sequence[tuple[str, str]]) -> ApiError:
    """Server-side apply would take fields from other managers; causes are (manager, field path)."""
    many = len(causes) > 1
    head = f"Apply failed with {len(causes)} conflict{'s' if many else ''}: "
    by_manager: dict[str, list[str]] = {}
    for manager, path in causes:
        by_manager.setdefault(manager, []).append(path)
    if many:
        parts = [f'conflicts with "{who}":\n' + "\n".join(f"- {path}" for path in paths) for who, paths in by_manager.items()]
    else:
        parts = [f'conflict with "{causes[0][0]}": {causes[0][1]}']
    listed = [{"reason": "FieldManagerConflict", "message": f'conflict with "{who}"', "field": path} for who, path in causes]
    return ApiError(409, "Conflict", head + "\n".join(parts), {"causes": listed})


def invalid(resource: Resource, name: str, causes: Sequence[tuple[str, str, str]]) -> ApiError:
    """The object is invalid; causes are (reason, message, field)."""
    listed = [{"reason": reason, "message": message, "field": field} for reason, message, field in causes]
    messages = [f"{field}: {message}" for _, message, field in causes]
    text = messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"
    details = {"name": name, "group": resource.group, "kind": resource.kind, "causes": listed}
    qualified = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return ApiError(422, "Invalid", f'{qualified} "{name}" is invalid: {text}', {key: value for key, value in details.items() if value})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    named = f'{resource.group_resource} "{name}"' if name else resource.group_resource
    return ApiError(403, "Forbidden", f"{named} is forbidden: {why}", details_of(resource, name))


def forbidden_path(why: str) -> ApiError:
    return ApiError(403, "Forbidden", f"forbidden: {why}", {})


def method_not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def invalid_option(field: str, reason: str, message: str) -> ApiError:
    """An invalid query parameter of a patch."""
    causes = [{"reason": reason, "message": message, "field": field}]
    details = {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": causes}
    return ApiError(422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: {field}: {message}', details)


def unsupported_patch() -> ApiError:
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def not_acceptable(accepted: Sequence[str]) -> ApiError:
    message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(accepted)}"
    return ApiError(406, "NotAcceptable", message, {})


def expired(message: str, continue_token: str = "") -> ApiError:
    return ApiError(410, "Expired", message, None, {"continue": continue_token} if continue_token else None)
