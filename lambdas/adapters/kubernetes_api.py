"""HTTPS to one Kubernetes API server: login, persistent connections, paging and safe retries."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import orjson

from lambdas.adapters.kubernetes_errors import Expired, from_answer, from_failure, retry_after_s
from lambdas.contract.names import FIELD_MANAGER
from lambdas.domain.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from urllib3 import BaseHTTPResponse, HTTPSConnectionPool

    from lambdas.adapters.eks_token import Tokens

CONNECT_TIMEOUT_S: Final = 2
READ_TIMEOUT_S: Final = 5
PAGE: Final = 250
"""Objects per page, half of kubectl's. 250 parsed pods take 30 MB, and a small function has 128 MB in total."""
_MAX_RETRY_AFTER_S: Final = 1.0
"""A busy API server requests a wait of one second. For a longer wait the call fails, and the caller decides."""
Fact = TypeVar("Fact")
_CONNECTIONS: Final = 8
_JSON: Final = "application/json"
_MERGE_PATCH: Final = "application/merge-patch+json"
TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"


@dataclass(frozen=True, kw_only=True)
class _Request:
    attempt: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


class KubernetesApi:
    """Requests to one cluster. Safe to share between threads.

    Every request is idempotent: reads, patches with a fixed value or a `resourceVersion`, and deletions by UID. So a request on a
    connection that the server had closed is sent again at once.
    """

    def __init__(self, cluster: str, endpoint: str, ca_pem: str, tokens: Tokens, role_arn: str = "") -> None:
        self._cluster = cluster
        self._tokens = tokens
        self._role_arn = role_arn
        self._pool = _pool(cluster, endpoint, ca_pem)

    def get(self, attempt: str, path: str) -> Any:
        """One object.

        Raises:
            NotFound: there is none.
        """
        return self._answer(self._request(attempt, "GET", path))

    def patch(self, attempt: str, path: str, change: Mapping[str, Any]) -> Any:
        """Apply a JSON merge patch under the product's field manager, and return the resulting object.

        Raises:
            Conflict: the object has another `resourceVersion` than the change names.
            NotFound: the object does not exist.
        """
        url = f"{path}?{urlencode({'fieldManager': FIELD_MANAGER})}"
        return self._answer(self._request(attempt, "PATCH", url, content_type=_MERGE_PATCH, body=change))

    def delete(self, attempt: str, path: str, options: Mapping[str, Any]) -> Any:
        """Delete one object under the preconditions in `options`.

        Raises:
            Conflict: a precondition failed.
            NotFound: the object does not exist.
        """
        return self._answer(self._request(attempt, "DELETE", path, body=options))

    def list_facts(
        self, attempt: str, path: str, parse_page: Callable[[Any], Iterable[Fact]], *, accept: str = _JSON, **query: str
    ) -> list[Fact]:
        """The facts that `parse_page` returns for each page of a list. Only one page of JSON is in memory at a time.

        If the continuation token expires, the list restarts once, so facts may occur twice.
        """
        query["limit"] = str(PAGE)
        found: list[Fact] = []
        may_restart = True
        while True:
            request = self._request(attempt, "GET", f"{path}?{urlencode(query)}", accept=accept)
            try:
                query["continue"] = self._read_page(request, parse_page, found)
            except Expired:
                if not may_restart or not query.pop("continue", ""):
                    raise
                may_restart = False
                continue
            if not query["continue"]:
                return found

    def _read_page(self, request: _Request, parse_page: Callable[[Any], Iterable[Fact]], found: list[Fact]) -> str:
        page = self._answer(request)  # local to this frame, so it is freed before the next page is read
        found.extend(parse_page(page))
        return str(page["metadata"].get("continue", ""))

    def close(self) -> None:
        """Close every idle connection."""
        self._pool.close()

    def _request(
        self, attempt: str, method: str, path: str, *, accept: str = _JSON, content_type: str = _JSON, body: Mapping[str, Any] | None = None
    ) -> _Request:
        # The API server compresses responses above 128 KB, and lists of similar pods compress well.
        headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": FIELD_MANAGER, "Content-Type": content_type}
        encoded = None if body is None else orjson.dumps(body)
        return _Request(attempt=f"{attempt} in cluster {self._cluster}", method=method, path=path, headers=headers, body=encoded)

    def _answer(self, request: _Request) -> Any:
        answer = self._send_with_retry(request)
        if answer.status >= 400:  # noqa: PLR2004
            raise from_answer(request.attempt, answer.status, answer.data, answer.headers, self._role_arn)
        try:
            return orjson.loads(answer.data)
        except ValueError as error:
            raise PermanentError(f"{request.attempt}: the response is not JSON; is the endpoint a Kubernetes API server?") from error

    def _send_with_retry(self, request: _Request) -> BaseHTTPResponse:
        """The response, after one retry for a rejected token or a short `Retry-After`."""
        token = self._tokens.get(self._cluster)
        answer = self._send(request, token)
        if answer.status == 401 and self._tokens.forget(self._cluster, token):  # noqa: PLR2004
            return self._send(request, self._tokens.get(self._cluster))
        wait_s = retry_after_s(answer.headers) if answer.status == 429 else None  # noqa: PLR2004
        if wait_s is None or wait_s > _MAX_RETRY_AFTER_S:
            return answer
        time.sleep(wait_s)
        return self._send(request, token)

    def _send(self, request: _Request, token: str) -> BaseHTTPResponse:
        from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError

        headers = {**request.headers, "Authorization": f"Bearer {token}"}

        def once() -> BaseHTTPResponse:
            return self._pool.urlopen(request.method, request.path, body=request.body, headers=headers, redirect=False, retries=False)

        try:
            try:
                return once()
            except (ProtocolError, NewConnectionError):  # closed, refused or not resolved: these fail without a time-out
                return once()
        except (HTTPError, OSError) as error:
            raise from_failure(request.attempt, error) from error


def segment(name: str) -> str:
    """The name, quoted as one segment of a path."""
    return quote(name, safe="")


def _pool(cluster: str, endpoint: str, ca_pem: str) -> HTTPSConnectionPool:
    from urllib3 import HTTPSConnectionPool, Timeout

    address = urlsplit(endpoint)
    if address.scheme != "https" or not address.hostname:
        raise PermanentError(f"log in to cluster {cluster}: its endpoint is not an https address: {endpoint[:100]!r}")
    return HTTPSConnectionPool(
        address.hostname,
        address.port or 443,
        maxsize=_CONNECTIONS,
        timeout=Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        ssl_context=_tls_context(cluster, ca_pem),
    )


def _tls_context(cluster: str, ca_pem: str) -> ssl.SSLContext:
    """A TLS context that trusts only the cluster's certificate authority, and checks the host name.

    It does not use `create_default_context`, which from Python 3.13 requires extensions that EKS authorities lack.
    Source: https://github.com/kubernetes-client/python/issues/2394
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # requires a certificate and checks the host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise PermanentError(f"log in to cluster {cluster}: its certificate authority is not a PEM certificate") from error
    return context
