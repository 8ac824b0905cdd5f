"""moto's server application, called in this process instead of through a second server."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from dataclasses import replace
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from moto import backends
from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.dynamodb.parsing import expressions
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.sns import models as sns_models
from werkzeug.test import EnvironBuilder, run_wsgi_app

from sandbox.aws.http_messages import Request, Response, scope_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.aws.http_messages import Scope


# moto lists its own folder for every request to find out whether a host names a service, which took a tenth of the time of a run.
_MODULES: Final = tuple(backends.list_of_moto_modules())
backends.list_of_moto_modules = lambda: _MODULES
# moto parses an update expression twice in each request and copies the result. Without the cache, a long expression would take a third
# more time than a short one, which is not so in DynamoDB.
_PARSER: Final[Any] = vars(expressions)["UpdateExpressionParser"]
_PARSER.make = lru_cache(maxsize=256)(_PARSER.make)
# moto signs the messages of each subscription with a new RSA key, which takes a thirtieth of the time of a scenario. Nobody verifies them.
_KEY: Final = cache(partial(rsa.generate_private_key, public_exponent=65537, key_size=2048))
_SUBSCRIPTION: Final[Any] = sns_models.Subscription
_SUBSCRIPTION.private_key = lambda _: _KEY()


class MotoBackend:
    """All services of moto. moto keeps its state per process, so a new instance starts empty.

    `account_of` returns the account of an access key, where the caller has several accounts.
    """

    def __init__(self, account: str, account_of: Callable[[str], str] | None = None) -> None:
        BackendDict.reset()
        reset_model_data()
        self._account_of = account_of or (lambda _: account)
        self._app = DomainDispatcherApplication(create_backend_app)
        self._tables = threading.Lock()

    def __call__(self, request: Request) -> Response:
        scope = scope_of(request)
        environ = _environ(_with_authorization(request), self._account_of(scope.access_key_id if scope else ""))
        with self._tables if _writes_items(request) else nullcontext():
            body, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        return Response(int(status.partition(" ")[0]), b"".join(body), dict(headers))


# moto checks a condition and writes in two steps, and counts by reading and writing back. With threads, a conditional write could
# succeed twice and an ADD could be lost, which DynamoDB prevents.
# Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html
_ITEM_WRITES = frozenset({"UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem"})


def _writes_items(request: Request) -> bool:
    service, _, operation = request.header("x-amz-target").partition(".")
    return service.startswith("DynamoDB_") and operation in _ITEM_WRITES


def _with_authorization(request: Request) -> Request:
    """moto reads the caller from the Authorization header only; a presigned URL carries it in the query."""
    scope = scope_of(request)
    if scope is None or "authorization" in request.headers:
        return request
    return replace(request, headers={**request.headers, "authorization": _authorization(scope)})


def _authorization(scope: Scope) -> str:
    credential = f"{scope.access_key_id}/20000101/{scope.region}/{scope.service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"


def _environ(request: Request, account: str) -> dict[str, Any]:
    headers = [(name, value) for name, value in request.headers.items() if name != "content-length"]
    builder = EnvironBuilder(
        path=request.path,
        query_string=request.query,
        method=request.method,
        headers=[*headers, ("x-moto-account-id", account)],
        data=request.body,
    )
    return dict(builder.get_environ())
