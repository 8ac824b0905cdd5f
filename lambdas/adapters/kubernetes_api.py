"""HTTPS to one Kubernetes API server: login, kept connections, paging, retries that are safe."""

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
"""Objects in one answer. Half of what kubectl asks for: 250 pods are 30 MB when parsed, and a small function has 128 MB for everything."""
_PATIENCE_S: Final = 1.0
"""API servers that are busy for a moment ask for one second; longer waits are the caller's to plan."""
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

    Every request may be sent twice, since each is idempotent: reads, patches with a fixed value or a `resourceVersion`, and deletions
    by UID. So one that met a connection which the server had closed meanwhile is sent again at once.
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
        """Apply a JSON merge patch under our own field manager; returns the object as it is then.

        Raises:
            Conflict: the object is no longer at the `resourceVersion` that the change names.
            NotFound: it is gone.
        """
        place = f"{path}?{urlencode({'fieldManager': FIELD_MANAGER})}"
        return self._answer(self._request(attempt, "PATCH", place, content_type=_MERGE_PATCH, body=change))

    def delete(self, attempt: str, path: str, options: Mapping[str, Any]) -> Any:
        """Delete one object under the preconditions in `options`.

        Raises:
            Conflict: a precondition does not hold.
            NotFound: it is gone.
        """
        return self._answer(self._request(attempt, "DELETE", path, body=options))

    def each(self, attempt: str, path: str, taken: Callable[[Any], Iterable[Fact]], *, accept: str = _JSON, **query: str) -> list[Fact]:
        """What `taken` makes of each page of a list; one page's JSON is the most that is in memory at once.

        A list whose continuation has expired begins anew, once: what was taken before comes again.
        """
        query["limit"] = str(PAGE)
        found: list[Fact] = []
        may_restart = True
        while True:
            request = self._request(attempt, "GET", f"{path}?{urlencode(query)}", accept=accept)
            try:
                query["continue"] = self._take_page(request, taken, found)
            except Expired:
                if not may_restart or not query.pop("continue", ""):
                    raise
                may_restart = False
                continue
            if not query["continue"]:
                return found

    def _take_page(self, request: _Request, taken: Callable[[Any], Iterable[Fact]], found: list[Fact]) -> str:
        page = self._answer(request)  # lives in this frame alone, so it is gone before the next page is read
        found.extend(taken(page))
        return str(page["metadata"].get("continue", ""))

    def close(self) -> None:
        """Close every connection that is idle."""
        self._pool.close()

    def _request(
        self, attempt: str, method: str, path: str, *, accept: str = _JSON, content_type: str = _JSON, body: Mapping[str, Any] | None = None
    ) -> _Request:
        # The API server compresses answers above 128 KB; pods, much alike, shrink many times.
        headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": FIELD_MANAGER, "Content-Type": content_type}
        sent = None if body is None else orjson.dumps(body)
        return _Request(attempt=f"{attempt} in cluster {self._cluster}", method=method, path=path, headers=headers, body=sent)

    def _answer(self, request: _Request) -> Any:
        answer = self._after_patience(request)
        if answer.status >= 400:  # noqa: PLR2004
            raise from_answer(request.attempt, answer.status, answer.data, answer.headers, self._role_arn)
        try:
            return orjson.loads(answer.data)
        except ValueError as error:
            raise PermanentError(f"{request.attempt}: the answer is no JSON; is the endpoint a Kubernetes API server?") from error

    def _after_patience(self, request: _Request) -> BaseHTTPResponse:
        """The answer; one more try where a new token or a moment's wait is all that is asked for."""
        token = self._tokens.get(self._cluster)
        answer = self._sent(request, token)
        if answer.status == 401 and self._tokens.forget(self._cluster, token):  # noqa: PLR2004
            return self._sent(request, self._tokens.get(self._cluster))
        wait_s = retry_after_s(answer.headers) if answer.status == 429 else None  # noqa: PLR2004
        if wait_s is None or wait_s > _PATIENCE_S:
            return answer
        time.sleep(wait_s)
        return self._sent(request, token)

    def _sent(self, request: _Request, token: str) -> BaseHTTPResponse:
        from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError

        headers = {**request.headers, "Authorization": f"Bearer {token}"}

        def once() -> BaseHTTPResponse:
            return self._pool.urlopen(request.method, request.path, body=request.body, headers=headers, redirect=False, retries=False)

        try:
            try:
                return once()
            except (ProtocolError, NewConnectionError):  # closed, refused or not resolved: nothing was waited for yet
                return once()
        except (HTTPError, OSError) as error:
            raise from_failure(request.attempt, error) from error


def segment(name: str) -> str:
    """A name as one segment of a path, whatever is in it."""
    return quote(name, safe="")


def _pool(cluster: str, endpoint: str, ca_pem: str) -> HTTPSConnectionPool:
    from urllib3 import HTTPSConnectionPool, Timeout

    address = urlsplit(endpoint)
    if address.scheme != "https" or not address.hostname:
        raise PermanentError(f"log in to cluster {cluster}: its endpoint is no https address: {endpoint[:100]!r}")
    return HTTPSConnectionPool(
        address.hostname,
        address.port or 443,
        maxsize=_CONNECTIONS,
        timeout=Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        ssl_context=_trusting(cluster, ca_pem),
    )


def _trusting(cluster: str, ca_pem: str) -> ssl.SSLContext:
    """TLS that trusts the cluster's own authority alone, and checks the host name.

    `create_default_context` is avoided: from Python 3.13 it is strict about extensions which EKS authorities lack.
    Source: https://github.com/kubernetes-client/python/issues/2394
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # demands a certificate and checks the host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise PermanentError(f"log in to cluster {cluster}: its certificate authority is no PEM certificate") from error
    return context
