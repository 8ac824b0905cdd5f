"""HTTPS to one Kubernetes API server: login, persistent connections, bounded responses, paging and safe retries."""

from __future__ import annotations

import json
import ssl
import time
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import orjson

from lambdas.adapters.http_limits import ResponseTooLarge, read_body, timed_pool
from lambdas.adapters.kubernetes_errors import Expired, expected_shape, from_answer, from_failure, retry_after_s
from lambdas.contract.names import FIELD_MANAGER
from lambdas.domain.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from urllib3 import BaseHTTPResponse, HTTPSConnectionPool

    from lambdas.adapters.eks_token import Tokens

CONNECT_TIMEOUT_S: Final = 2
READ_TIMEOUT_S: Final = 5
PAGE: Final = 250
"""Objects per page, half of kubectl's. 250 parsed pods take 30 MB, and a small function has 128 MB in total."""
PAGE_OF_UNKNOWN_SIZE: Final = 50
"""Objects per page of a workload whose pods a tenant can make as large as etcd allows."""
MAX_PAGE_BYTES: Final = 8 << 20
"""Maximum size of a page. The client requests a larger page again with fewer objects."""
MAX_OBJECT_BYTES: Final = 4 << 20
"""Maximum size of an object: etcd stores up to 1.5 MiB, and JSON escapes make it longer.

Source: https://etcd.io/docs/v3.5/dev-guide/limit/
"""
MAX_ERROR_BYTES: Final = 1 << 16
MAX_VALUES: Final = 400_000
"""Maximum number of JSON values in a response. Each takes about 100 bytes when parsed; 250 pods of the VPC CNI have 100,000."""
MAX_LISTED: Final = 50_000
"""Maximum number of objects in a list."""
LIST_TIMEOUT_S: Final = 30.0
"""Maximum time for all pages of a list: half of the checker's time-out, so that the check can still report a slow cluster."""
_OK: Final = range(200, 300)
_MAX_RETRY_AFTER_S: Final = 1.0
"""A busy API server requests a wait of one second. For a longer wait the call fails, and the caller decides."""
Fact = TypeVar("Fact")
_CONNECTIONS: Final = 8
_JSON: Final = "application/json"
_MERGE_PATCH: Final = "application/merge-patch+json"
_APPLY_PATCH: Final = "application/apply-patch+yaml"
"""The body is JSON, which is YAML too."""
TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"


@dataclass(frozen=True, kw_only=True)
class _Request:
    attempt: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None
    most_bytes: int = MAX_OBJECT_BYTES


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes
    token: str = field(repr=False)  # the one that the request was sent with


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

    def get(self, attempt: str, path: str, parse: Callable[[Any], Fact]) -> Fact:
        """The facts that `parse` returns for one object.

        Raises:
            NotFound: there is none.
            PermanentError: the object has another shape than `parse` expects, or a duplicate key, which two parsers may read differently.
        """
        request = self._request(attempt, "GET", path)
        body = self._body(request)
        found = _parsed(request, body)
        with expected_shape(request.attempt):
            json.loads(body, object_pairs_hook=_each_key_once)
            return parse(found)

    def patch(self, attempt: str, path: str, change: Mapping[str, Any], manager: str = FIELD_MANAGER) -> Any:
        """Apply a JSON merge patch under the field manager, and return the resulting object.

        Raises:
            Conflict: the object has another `resourceVersion` than the change names.
            NotFound: the object does not exist.
        """
        url = f"{path}?{urlencode({'fieldManager': manager})}"
        return self._answer(self._request(attempt, "PATCH", url, content_type=_MERGE_PATCH, body=change))

    def apply(self, attempt: str, path: str, manifest: Mapping[str, Any]) -> Any:
        """Apply the fields of a manifest server-side under the product's field manager, and return the resulting object.

        The fields are taken over from managers that hold another value, because the `resourceVersion` in the manifest is that of the
        object in which the caller saw the other value.
        Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts

        Raises:
            Conflict: the object has another `resourceVersion` than the manifest names, or does not exist.
        """
        url = f"{path}?{urlencode({'fieldManager': FIELD_MANAGER, 'force': 'true'})}"
        return self._answer(self._request(attempt, "PATCH", url, content_type=_APPLY_PATCH, body=manifest))

    def review(self, attempt: str, path: str, question: Mapping[str, Any], parse: Callable[[Any], Fact]) -> Fact:
        """The facts that `parse` returns for the answer to a review. A review is answered and not stored, so it can be repeated.

        Raises:
            PermanentError: the answer has another shape than `parse` expects.
        """
        request = self._request(attempt, "POST", path, body=question)
        found = self._answer(request)
        with expected_shape(request.attempt):
            return parse(found)

    def delete(self, attempt: str, path: str, options: Mapping[str, Any]) -> Any:
        """Delete one object under the preconditions in `options`.

        Raises:
            Conflict: a precondition failed.
            NotFound: the object does not exist.
        """
        return self._answer(self._request(attempt, "DELETE", path, body=options))

    def list_facts(
        self,
        attempt: str,
        path: str,
        parse_page: Callable[[Any], Iterable[Fact]],
        selection: Mapping[str, str] = MappingProxyType({}),
        *,
        accept: str = _JSON,
        page: int = PAGE,
    ) -> list[Fact]:
        """The facts that `parse_page` returns for each page of a list. Only one page of JSON is in memory at a time.

        If the continuation token expires, the list restarts once, so facts may occur twice. A page that is too large is requested again
        with fewer objects, down to one.

        Raises:
            TransientError: the list was not complete in time.
            PermanentError: the list does not end, one object is too large, or a page has another shape than `parse_page` expects.
        """
        found: list[Fact] = []
        limits = _ListLimits(f"{attempt} in cluster {self._cluster}")
        query = {**selection, "limit": str(page)}
        may_restart = True
        while True:
            request = self._request(attempt, "GET", f"{path}?{urlencode(query)}", accept=accept, most_bytes=MAX_PAGE_BYTES)
            try:
                query["continue"] = self._read_page(request, parse_page, found)
            except ResponseTooLarge:
                if query["limit"] == "1":
                    raise
                query["limit"] = str(max(1, int(query["limit"]) // 4))
            except Expired:
                if not may_restart or not query.pop("continue", ""):
                    raise
                may_restart = False
                limits.seen.clear()
            else:
                if not query["continue"]:
                    return found
                limits.check(query["continue"], len(found))
            limits.check_time()

    def _read_page(self, request: _Request, parse_page: Callable[[Any], Iterable[Fact]], found: list[Fact]) -> str:
        page = _parsed(request, self._body(request))  # local to this frame, so it is freed before the next page is read
        with expected_shape(request.attempt):
            token = page["metadata"].get("continue") or ""
            if not isinstance(token, str):
                raise TypeError("metadata.continue is no text")
            found.extend(parse_page(page))
        return token

    def close(self) -> None:
        """Close every idle connection."""
        self._pool.close()

    def _request(
        self,
        attempt: str,
        method: str,
        path: str,
        *,
        accept: str = _JSON,
        content_type: str = _JSON,
        body: Mapping[str, Any] | None = None,
        most_bytes: int = MAX_OBJECT_BYTES,
    ) -> _Request:
        # The API server compresses responses above 128 KB, and lists of similar pods compress well.
        headers = {"Accept": accept, "Accept-Encoding": "gzip", "User-Agent": FIELD_MANAGER, "Content-Type": content_type}
        encoded, attempt = None if body is None else orjson.dumps(body), f"{attempt} in cluster {self._cluster}"
        return _Request(attempt=attempt, method=method, path=path, headers=headers, body=encoded, most_bytes=most_bytes)

    def _answer(self, request: _Request) -> Any:
        return _parsed(request, self._body(request))

    def _body(self, request: _Request) -> bytes:
        """The body of a successful response, 200 to 299. A redirect is an error, regardless of its body."""
        answer = self._send_with_retry(request)
        if answer.status in _OK:
            return answer.body
        raise from_answer(request.attempt, answer.status, answer.body, answer.headers, self._role_arn, secret=answer.token)

    def _send_with_retry(self, request: _Request) -> _Answer:
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

    def _send(self, request: _Request, token: str) -> _Answer:
        from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError

        try:
            try:
                return self._send_once(request, token)
            except (ProtocolError, NewConnectionError):  # closed, refused or not resolved: these fail without a time-out
                return self._send_once(request, token)
        except (HTTPError, OSError) as error:
            raise from_failure(request.attempt, error) from error
        except PermanentError as error:
            raise type(error)(f"{request.attempt}: {error}") from error

    def _send_once(self, request: _Request, token: str) -> _Answer:
        headers = {**request.headers, "Authorization": f"Bearer {token}"}
        options: dict[str, Any] = {"redirect": False, "retries": False, "preload_content": False}
        answer = self._pool.urlopen(request.method, request.path, body=request.body, headers=headers, **options)
        try:
            body = read_body(answer, request.most_bytes) if answer.status in _OK else _error_body(answer)
            return _Answer(status=answer.status, headers=answer.headers, body=body, token=token)
        except BaseException:
            answer.close()  # the unread rest must not become the response to the next request
            raise
        finally:
            answer.release_conn()


@dataclass
class _ListLimits:
    """Limits of one list: its time, its length, and that no continuation token repeats."""

    attempt: str
    started: float = field(default_factory=time.monotonic)
    seen: set[str] = field(default_factory=set)

    def check(self, token: str, count: int) -> None:
        """Accept a continuation token after `count` objects.

        Raises:
            PermanentError: the token repeats, or the list is too long.
        """
        if token in self.seen:
            raise PermanentError(f"{self.attempt}: the server repeats a continuation token, so the list does not end")
        if count > MAX_LISTED:
            raise PermanentError(f"{self.attempt}: the list has more than {MAX_LISTED} objects")
        self.seen.add(token)

    def check_time(self) -> None:
        """Allow another request.

        Raises:
            TransientError: the time for the list is over.
        """
        if time.monotonic() - self.started > LIST_TIMEOUT_S:
            raise TransientError(f"{self.attempt}: the list was not complete after {LIST_TIMEOUT_S:.0f} seconds")


def _parsed(request: _Request, body: bytes) -> Any:
    """The JSON object of a response.

    Raises:
        ResponseTooLarge: the response has so many values that the parsed object would be many times larger than its text.
        PermanentError: the response is not a JSON object.
    """
    if body.count(b",") + body.count(b"{") + body.count(b"[") > MAX_VALUES:
        raise ResponseTooLarge(f"{request.attempt}: the response has more than {MAX_VALUES} values")
    try:
        found = orjson.loads(body)
    except ValueError as error:
        raise PermanentError(f"{request.attempt}: the response is not JSON; is the endpoint a Kubernetes API server?") from error
    if not isinstance(found, dict):
        raise PermanentError(f"{request.attempt}: the response is not a JSON object; is the endpoint a Kubernetes API server?")
    return found


def _each_key_once(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key occurs twice")


def _error_body(answer: BaseHTTPResponse) -> bytes:
    try:
        return read_body(answer, MAX_ERROR_BYTES)
    except PermanentError:  # the status is sufficient
        answer.close()
        return b""


def segment(name: str) -> str:
    """The name, quoted as one segment of a path."""
    return quote(name, safe="")


def _pool(cluster: str, endpoint: str, ca_pem: str) -> HTTPSConnectionPool:
    from urllib3 import Timeout

    address = urlsplit(endpoint)
    if address.scheme != "https" or not address.hostname:
        raise PermanentError(f"log in to cluster {cluster}: its endpoint is not an https address: {endpoint[:100]!r}")
    return timed_pool()(
        address.hostname,
        address.port or 443,
        maxsize=_CONNECTIONS,
        timeout=Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        ssl_context=tls_context(cluster, ca_pem),
    )


def tls_context(cluster: str, ca_pem: str) -> ssl.SSLContext:
    """A TLS context that trusts only the cluster's certificate authority, and checks the host name.

    It does not use `create_default_context`, which from Python 3.13 requires extensions that EKS authorities lack.
    Source: https://github.com/kubernetes-client/python/issues/2394
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # requires a certificate and checks the host name
    context.hostname_checks_common_name = False  # only subjectAltName names a host
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise PermanentError(f"log in to cluster {cluster}: its certificate authority is not a PEM certificate") from error
    return context
