"""A small client of the API server for setting the scene; what the product uses to talk to clusters is not tested with itself."""

import http.client
import json
import ssl
import threading
from dataclasses import dataclass
from typing import Any
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
    """The API server did not say yes."""

    def __init__(self, method: str, path: str, answer: Answer) -> None:
        said = answer.body.get("message") if isinstance(answer.body, dict) else answer.body
        super().__init__(f"{method} {path}: {answer.status} {said}")
        self.status = answer.status
        self.answer = answer


class ApiClient:
    """One keep-alive connection for each thread. `token` None asks as nobody."""

    def __init__(self, url: str, ca_pem: str, token: str | None) -> None:
        self._host = urlsplit(url).netloc
        self._context = ssl.create_default_context(cadata=ca_pem)
        self._token = token
        self._of_thread = threading.local()

    def ask(
        self, method: str, path: str, body: object = None, *, query: dict[str, str] | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Return whatever the API server answers.

        Raises:
            OSError | http.client.HTTPException: there was no answer.
        """
        sent = {"Accept": "application/json", "Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self._token}"} if self._token else {}
        )
        target = f"{path}?{urlencode(query)}" if query else path
        content = None if body is None else json.dumps(body)
        response, received = self._exchange(method, target, content, sent | (headers or {}))
        is_json = "json" in response.headers.get("Content-Type", "")
        return Answer(
            response.status, {k.lower(): v for k, v in response.headers.items()}, json.loads(received) if is_json else received.decode()
        )

    def do(self, method: str, path: str, body: object = None, **options: Any) -> Any:
        """Return the body of a success.

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
        """Server-side apply, taking over fields that others own."""
        return self.do("PATCH", path, body, query={"fieldManager": manager, "force": "true"}, headers={"Content-Type": APPLY_PATCH})

    def delete(self, path: str) -> Any:
        return self.do("DELETE", path)

    def _exchange(self, method: str, target: str, body: str | None, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        """Only a read is sent again, and only where the server had closed the kept connection meanwhile."""
        kept = hasattr(self._of_thread, "connection")
        try:
            return self._once(method, target, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            if not (kept and method in ("GET", "DELETE")):
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
