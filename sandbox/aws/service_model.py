"""Information from botocore's service models about a request: operation, parameters and IAM action."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from botocore.loaders import Loader
from botocore.model import ServiceModel

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

    from sandbox.aws.http_messages import Request

# Signing names that differ from the name of botocore's model.
_MODEL_OF = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi"}
# Operations whose IAM action has another name.
# Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
_IAM_ACTION = {("lambda", "Invoke"): "lambda:InvokeFunction"}


def model_name(signing_name: str) -> str:
    """botocore's name of a service, which is also its IAM prefix for the services used here."""
    return _MODEL_OF.get(signing_name, signing_name)


@lru_cache(maxsize=32)
def service_model(signing_name: str) -> ServiceModel:
    """botocore's model of a service.

    Raises:
        botocore.exceptions.UnknownServiceError: botocore does not know the service.
    """
    name = model_name(signing_name)
    return ServiceModel(Loader().load_service_model(name, "service-2"), service_name=name)


def iam_action(service: str, operation: str) -> str:
    """The action that a policy must allow for this operation, as `service:Action`."""
    return _IAM_ACTION.get((service, operation), f"{service}:{operation}")


def operation_of(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, str]] | None:
    """The operation of a request and its path parameters (REST only), or None."""
    if str(model.metadata["protocol"]).startswith("rest"):
        return _rest_operation(model, request)
    name = _named_operation(request)
    return (model.operation_model(name), {}) if name in model.operation_names else None


def _named_operation(request: Request) -> str:
    if target := request.header("x-amz-target"):
        return target.rpartition(".")[2]
    if "/operation/" in request.path:  # smithy-rpc-v2-cbor: /service/<shape>/operation/<operation>
        return request.path.rpartition("/")[2]
    form = request.body.decode("utf-8", "replace") if request.method == "POST" else request.query
    return dict(parse_qsl(form, keep_blank_values=True)).get("Action", "")


def _rest_operation(model: ServiceModel, request: Request) -> tuple[OperationModel, dict[str, str]] | None:
    for method, pattern, name in _routes(model):
        if method == request.method and (match := pattern.fullmatch(request.path.rstrip("/") or "/")):
            return model.operation_model(name), {key: unquote(value) for key, value in match.groupdict().items()}
    return None


@lru_cache(maxsize=8)
def _routes(model: ServiceModel) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Literal paths before templated ones, so that `/addons/supported-versions` does not match as a name."""
    operations = [model.operation_model(name) for name in model.operation_names]
    uris = [(str(op.http["requestUri"]).partition("?")[0].rstrip("/") or "/", op) for op in operations]
    uris.sort(key=lambda pair: (pair[0].count("{"), -len(pair[0])))
    return tuple((str(op.http["method"]), re.compile(_template(uri)), op.name) for uri, op in uris)


def _template(uri: str) -> str:
    """`/clusters/{name}/addons` as a pattern; `{name+}` may contain slashes."""
    parts = re.split(r"(\{\w+\+?\})", uri)
    return "".join(_group(part) if part.startswith("{") else re.escape(part) for part in parts)


def _group(placeholder: str) -> str:
    name = placeholder.strip("{}")
    return f"(?P<{name[:-1]}>.+)" if name.endswith("+") else f"(?P<{name}>[^/]+)"


def rest_json_input(operation: OperationModel, path: dict[str, str], request: Request) -> dict[str, Any]:
    """Parameters of a rest-json request under their model names, from path, query, headers and body.

    Unknown body members keep their wire names, so that a check against the model finds them.

    Raises:
        ValueError: the body is not a JSON object.
    """
    shape = operation.input_shape
    if shape is None:
        return {}
    blob = shape.serialization.get("payload")
    body = {blob: request.body} if blob else _json_object(request.body)
    places = _RequestParts(path, request, request.query_values(), body)
    params: dict[str, Any] = {}
    for name, member in shape.members.items():
        found = places.value_of(member, name)
        if found is not None:
            params[name] = found
    return {**params, **body}


@dataclass(frozen=True)
class _RequestParts:
    """The parts of a REST request that carry parameters."""

    path: dict[str, str]
    request: Request
    query: dict[str, list[str]]
    body: dict[str, Any]

    def value_of(self, member: Shape, name: str) -> Any:
        """The value of one member, or None; members of the body are removed from it."""
        key = member.serialization.get("name", name)
        match member.serialization.get("location"):
            case "uri":
                return self.path.get(key)
            case "querystring":
                return _from_query(member, self.query.get(key))
            case "header":
                return self.request.header(key) or None
            case _:
                return self.body.pop(key, None)


def _from_query(member: Shape, values: list[str] | None) -> Any:
    if not values:
        return None
    match member.type_name:
        case "list":
            return values
        case "integer" | "long":
            return int(values[0]) if values[0].isdigit() else values[0]
        case "boolean":
            return values[0] == "true"
        case _:
            return values[0]


def _json_object(body: bytes) -> dict[str, Any]:
    parsed = json.loads(body) if body.strip() else {}
    if not isinstance(parsed, dict):
        raise ValueError(f"the body must be a JSON object, not {type(parsed).__name__}")
    return parsed
