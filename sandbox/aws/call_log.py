"""The log of every call to the local AWS: principal, IAM action, parameters and result."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from botocore.exceptions import UnknownServiceError
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.utils import get_service_model
from werkzeug.datastructures import Headers, MultiDict

from sandbox.aws.service_model import iam_action, model_name, operation_of, rest_json_input, service_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from botocore.model import OperationModel, Shape, StructureShape

    from sandbox.aws.http_messages import Request, Scope

# Members that carry a credential although their shapes are not marked as sensitive.
_SECRET_MEMBERS = frozenset({"CheckpointToken", "SessionToken", "WebIdentityToken", "SAMLAssertion", "TokenCode", "Token"})
_REDACTED = "<withheld>"
# One DynamoDB call that IAM authorizes as several calls.
# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
_TRANSACTIONS = {"TransactWriteItems", "TransactGetItems"}
_TRANSACTED = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "Get": "GetItem", "ConditionCheck": "ConditionCheckItem"}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One IAM-checked action. `principal` is a role or user name, empty when unsigned; `error` is empty on success.

    `params` are the request's parameters under botocore's names, without secrets and blobs.
    """

    service: str
    action: str
    principal: str
    params: dict[str, Any]
    region: str
    status: int = 200
    error: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class CallLog:
    """Calls in the order of their responses; thread-safe."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._listeners: list[Callable[[Call], None]] = []
        self._lock = threading.Lock()

    def add(self, calls: Iterable[Call]) -> None:
        added = list(calls)
        with self._lock:
            self._calls += added
        for listener in self._listeners:
            for call in added:
                listener(call)

    def on_call(self, listener: Callable[[Call], None]) -> None:
        """Call `listener` after each call, in the thread that answered it."""
        self._listeners.append(listener)

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()

    def all(self) -> tuple[Call, ...]:
        with self._lock:
            return tuple(self._calls)

    def of(self, principal: str | None = None, action: str | None = None) -> tuple[Call, ...]:
        """Calls of one principal, of one action, or of both."""
        return tuple(call for call in self.all() if principal in (None, call.principal) and action in (None, call.action))


@dataclass(frozen=True)
class ApiRequest:
    """The operation and the parameters of a request, before it is answered."""

    service: str
    operation: str
    params: dict[str, Any]

    def actions(self) -> list[tuple[str, dict[str, Any]]]:
        """The IAM actions that the request needs, each with the parameters that name its resource."""
        if self.service == "dynamodb" and self.operation in _TRANSACTIONS:
            items = self.params.get("TransactItems", [])
            return [(f"dynamodb:{_TRANSACTED[kind]}", params) for item in items for kind, params in item.items()]
        return [(iam_action(self.service, self.operation), self.params)]


def parse_api_request(request: Request, scope: Scope) -> ApiRequest:
    """The operation and the parameters of a signed request; the operation is empty if it is unknown."""
    try:
        model = service_model(scope.service)
    except UnknownServiceError:
        return ApiRequest(scope.service, "", {})
    found = operation_of(model, request)
    if found is None:
        return ApiRequest(model_name(scope.service), "", {})
    operation, path = found
    params = _parameters(operation, path, request)
    return ApiRequest(model_name(scope.service), operation.name, _without_secrets(operation.input_shape, params))


def _parameters(operation: OperationModel, path: dict[str, str], request: Request) -> dict[str, Any]:
    if operation.service_model.metadata["protocol"] == "rest-json":
        return rest_json_input(operation, path, request)
    return _parsed_by_moto(operation.service_model.service_name, operation.name, request)


def _parsed_by_moto(service: str, operation_name: str, request: Request) -> dict[str, Any]:
    operation = get_service_model(service).operation_model(operation_name)
    content_type = request.header("content-type")
    parser = PROTOCOL_PARSERS[determine_request_protocol(operation.service_model, content_type)](operation, map_type=dict)
    form = content_type.startswith("application/x-www-form-urlencoded")
    values: MultiDict[str, str] = MultiDict(parse_qsl(request.body.decode() if form else request.query, keep_blank_values=True))
    parsed = parser.parse(
        {
            "method": request.method,
            "values": values,
            "headers": Headers(dict(request.headers)),
            "body": request.body,
            "url_path": request.path,
            "url_params": {},
        }
    )
    return dict(parsed)


def _without_secrets(shape: Shape | None, params: dict[str, Any]) -> dict[str, Any]:
    members = cast("StructureShape", shape).members if shape is not None else {}
    return {name: _REDACTED if _secret(name, members.get(name)) else value for name, value in params.items()}


def _secret(name: str, shape: Shape | None) -> bool:
    marked = shape is not None and (shape.metadata.get("sensitive") or shape.type_name == "blob")
    return bool(marked) or name in _SECRET_MEMBERS
