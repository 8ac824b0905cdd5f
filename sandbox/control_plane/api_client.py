"""A small client of the API server for test set-up, independent of the product's client."""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

MERGE_PATCH = "application/merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True)
class Answer:
    """Status, headers (lower-case names) and decoded JSON body."""

    status: int
    headers: dict[str, str]
    body: Any


class ApiError(RuntimeError):
    """The API server returned an error."""

    def __init__(self, method: str, path: str, answer: Answer) -> None:
        detail = answer.body.get("message") if isinstance(answer.body, dict) else answer.body
        super().__init__(f"{method} {path}: {answer.status} {detail}")
        self.status = answer.status
        self.answer = answer


class Stream:
    """A response stream, read line by line; a context manager. Another thread may call `close`."""

    def __init__(self, connection: http.client.HTTPSConnection, path: str, headers: dict[str, str]) -> None:
        self._connection = connection
        connection.request("GET", path, headers=headers)
        self._socket = connection.sock
        self._response = connection.getresponse()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def __iter__(self) -> Iterator[bytes]:
        while line := self._response.readline():
            yield line

    def close(self) -> None:
        """End the stream, which wakes its reader."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class ApiClient:
    """One keep-alive connection per thread. Without a token, requests are anonymous."""

    def __init__(self, url: str, ca_pem: str, token: str | None) -> None:
        self._host = urlsplit(url).netloc
        self._context = ssl.create_default_context(cadata=ca_pem)
        self._token = token
        self._of_thread = threading.local()

    def ask(
        self, method: str, path: str, body: object = None, *, query: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Return any response of the API server.

        Raises:
            OSError | http.client.HTTPException: there was no response.
        """
        sent = self._headers()
        target = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body)
        response, received = self._exchange(method, target, content, sent | (headers or {}))
        is_json = "json" in response.headers.get("Content-Type", "")
        return Answer(
            response.status, {k.lower(): v for k, v in response.headers.items()}, json.loads(received) if is_json else received.decode()
        )

    def do(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """Return the body of a successful response.

        Raises:
            ApiError: status 400 and above.
        """
        answer = self.ask(method, path, body, **options)
        if answer.status >= 400:
            raise ApiError(method, path, answer)
        return answer.body

    def get(self, path: str, **query: str) -> Any:
        return self.do("GET", path, query=query)

    def create(self, path: str, body: object) -> Any:
        return self.do("POST", path, body)

    def merge(self, path: str, patch: object, **query: str) -> Any:
        return self.do("PATCH", path, patch, query=query, headers={"Content-Type": MERGE_PATCH})

    def apply(self, path: str, body: object, manager: str) -> Any:
        """Server-side apply that takes over fields of other managers."""
        return self.do("PATCH", path, body, query={"fieldManager": manager, "force": "true"}, headers={"Content-Type": APPLY_PATCH})

    def delete(self, path: str, **query: str) -> Any:
        return self.do("DELETE", path, query=query)

    def stream(self, path: str, **query: str) -> Stream:
        """A response stream, such as a watch, over a separate connection."""
        connection = http.client.HTTPSConnection(self._host, context=self._context)
        return Stream(connection, f"{path}?{urlencode(query)}", self._headers())

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _exchange(self, method: str, target: str, body: str | None, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        """Retry once if the server had closed the reused connection, except for a POST: twice, the others have the effect of once."""
        is_reused = hasattr(self._of_thread, "connection")
        try:
            return self._once(method, target, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
            if not is_reused or method == "POST":
                raise
            return self._once(method, target, body, headers)

    def _once(self, method: str, target: str, body: str | None, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self._connection()
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return response, response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            del self._of_thread.connection
            raise

    def _connection(self) -> http.client.HTTPSConnection:
        if not hasattr(self._of_thread, "connection"):
            self._of_thread.connection = http.client.HTTPSConnection(self._host, context=self._context, timeout=30)
        connection: http.client.HTTPSConnection = self._of_thread.connection
        return connection
