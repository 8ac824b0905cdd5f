"""The API server without its sockets: it answers requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.cluster import errors, request_options
from sandbox.cluster.deletion import Preconditions
from sandbox.cluster.discovery import discovery
from sandbox.cluster.http_messages import Request, Response, json_response
from sandbox.cluster.object_store import PATCHES, ObjectStore
from sandbox.cluster.paging import Pager
from sandbox.cluster.representation import deleted_status, list_response, object_response, wanted_form
from sandbox.cluster.resources import BY_PATH, NAMESPACES, PODS, SERVICE_ACCOUNTS, Object, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.cluster.request_info import RequestInfo

_GROUP_VERSIONS = frozenset((group, version) for group, version, _ in BY_PATH)
APPLY = "application/apply-patch+yaml"
# Kinds whose deletion returns the object itself (`ReturnDeletedObject` in the registry).
_RETURNED = frozenset({PODS, SERVICE_ACCOUNTS, NAMESPACES})


class ApiServer:
    """Serves authorized requests from one store."""

    def __init__(self, store: ObjectStore, version: str) -> None:
        self.pager = Pager(store)
        self._store = store
        self._version = version

    def serve(self, request: Request, info: RequestInfo) -> Response:
        """Answer a request.

        Raises:
            ApiError: the request is refused.
        """
        if not info.is_resource:
            return discovery(info.path, self._version) or _page_not_found()
        resource = info.resource
        if resource is None or not _has_subresource(resource, info):
            if (info.group, info.version) in _GROUP_VERSIONS:
                raise errors.no_such_resource()
            return _page_not_found()
        verbs: Mapping[str, Callable[[Request, RequestInfo, Resource], Response]] = {
            "get": self._get,
            "list": self._list,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        if info.verb not in verbs or (info.verb in {"create", "update", "patch"} and _misplaced(info)):
            raise errors.method_not_allowed()
        return verbs[info.verb](request, info, resource)

    def _get(self, request: Request, info: RequestInfo, resource: Resource) -> Response:
        form = wanted_form(request.header("accept"))
        found = self._store.get(resource, info.name, _scope(info, resource))
        return object_response(resource, found, form, request.query.get("includeObject", ""), self._store.now())

    def _list(self, request: Request, info: RequestInfo, resource: Resource) -> Response:
        form, query = wanted_form(request.header("accept")), request.query
        page = self.pager.page(
            resource,
            _scope(info, resource),
            limit=request_options.number(query.get("limit", "0")),
            token=query.get("continue", ""),
            matches=request_options.matcher(query, resource),
        )
        return list_response(resource, page, form, query.get("includeObject", ""), self._store.now())

    def _create(self, request: Request, info: RequestInfo, resource: Resource) -> Response:
        obj, namespace = request_options.object_of(request, resource), _scope(info, resource)
        if info.name:
            return self._bind(obj, info)
        body_namespace = (obj.get("metadata") or {}).get("namespace")
        if body_namespace and body_namespace != namespace:
            raise errors.bad_request("the namespace of the provided object does not match the namespace sent on the request")
        stored = self._store.create(
            resource, obj, namespace, by=request_options.writer(request, info), dry_run=request_options.dry_run(request)
        )
        return json_response(201, stored)

    def _bind(self, binding: Object, info: RequestInfo) -> Response:
        self._store.bind(info.name, info.namespace, str(binding["target"]["name"]))
        return json_response(201, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201})

    def _update(self, request: Request, info: RequestInfo, resource: Resource) -> Response:
        obj = request_options.object_of(request, resource)
        metadata = obj.setdefault("metadata", {})
        if metadata.get("name") != info.name:
            raise errors.bad_request(
                f"the name of the object ({metadata.get('name', '')}) does not match the name on the URL ({info.name})"
            )
        metadata["namespace"] = _scope(info, resource)
        stored = self._store.update(
            resource, obj, by=request_options.writer(request, info), subresource=info.subresource, dry_run=request_options.dry_run(request)
        )
        return json_response(200, stored)

    def _patch(self, request: Request, info: RequestInfo, resource: Resource) -> Response:
        content_type = request.header("content-type").split(";")[0].strip()
        if content_type == APPLY:
            return self._apply(request, info, resource)
        if content_type not in PATCHES:
            raise errors.unsupported_patch()
        stored = self._store.patch(
            resource,
            info.name,
            _scope(info, resource),
            patch=request_options.parsed(request.body),
            content_type=content_type,
            by=request_options.writer(request, info),
            subresource=info.subresource,
            dry_run=request_options.dry_run(request),
        )
        return json_response(200, stored)

    def _apply(self, request: Request, info: RequestInfo, resource: Resource) -> Response:
        import yaml

        if not request.query.get("fieldManager"):
            raise errors.invalid_option("fieldManager", "FieldValueRequired", "Required value: is required for apply patch")
        manifest = yaml.safe_load(request.body)
        manifest["metadata"] = (manifest.get("metadata") or {}) | {"name": info.name, "namespace": _scope(info, resource)}
        existed = self._store.find(resource, info.name, _scope(info, resource)) is not None
        stored = self._store.apply(
            resource,
            manifest,
            by=request_options.writer(request, info),
            force=request.query.get("force") == "true",
            subresource=info.subresource,
            dry_run=request_options.dry_run(request),
        )
        return json_response(200 if existed else 201, stored)

    def _delete(self, request: Request, info: RequestInfo, resource: Resource) -> Response:
        options = request_options.parsed(request.body) if request.body else {}
        wanted = options.get("preconditions") or {}
        grace = request.query.get("gracePeriodSeconds", options.get("gracePeriodSeconds"))
        gone = self._store.delete(
            resource,
            info.name,
            _scope(info, resource),
            grace_period_s=None if grace is None else request_options.number(str(grace)),
            preconditions=Preconditions(uid=wanted.get("uid", ""), resource_version=wanted.get("resourceVersion", "")),
            dry_run=request_options.dry_run(request) or options.get("dryRun") == ["All"],
        )
        return json_response(200, gone if resource in _RETURNED else deleted_status(resource, gone["metadata"]))

    def _delete_collection(self, request: Request, info: RequestInfo, resource: Resource) -> Response:
        matches = request_options.matcher(request.query, resource)
        entries, revision = self._store.entries(resource, _scope(info, resource))
        gone = [each.obj for each in entries if matches is None or matches(each.obj)]
        for each in gone:
            metadata = each["metadata"]
            self._store.delete(resource, metadata["name"], metadata.get("namespace", ""), dry_run=request_options.dry_run(request))
        meta = {"resourceVersion": str(revision)}
        return json_response(200, {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": meta, "items": gone})


def _page_not_found() -> Response:
    return Response(status=404, body=b"404 page not found\n", content_type="text/plain; charset=utf-8")


def _has_subresource(resource: Resource, info: RequestInfo) -> bool:
    match info.subresource:
        case "":
            return True
        case "status":
            return resource.has_status
        case "binding":
            return resource is PODS
    return False


def _misplaced(info: RequestInfo) -> bool:
    """Creation is a request to the collection (a binding: to its pod), a change is a request to the object."""
    return bool(info.name) is (info.verb == "create") and info.subresource != "binding"


def _scope(info: RequestInfo, resource: Resource) -> str:
    return info.namespace if resource.namespaced else ""
