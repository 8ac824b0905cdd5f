"""A proxy in front of the API server that counts requests and can drop the response to a completed request."""

import http.client
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from sandbox.control_plane.certificates import CertificateFiles

NOT_FORWARDED = {"connection", "transfer-encoding", "keep-alive"}
CHUNK = 64 * 1024


@dataclass(frozen=True)
class Exchange:
    """One request: `target` is path and query, `response_bytes` the size of the body as sent, compressed or not.

    `answered` is whether the client received the response, `at` the time of it (`time.monotonic()`).
    """

    method: str
    target: str
    status: int
    response_bytes: int
    answered: bool
    at: float


class ConnectionProxy:
    """Terminates TLS with a certificate of the cluster's authority, so that clients accept it; a context manager.

    Watches and other streams are forwarded as they arrive.
    """

    def __init__(self, upstream_url: str, ca_pem: str, serving: CertificateFiles) -> None:
        self._upstream = urlsplit(upstream_url).netloc
        self._trust = ssl.create_default_context(cadata=ca_pem)
        self._dropped: list[tuple[str, re.Pattern[str]]] = []
        self._lock = threading.Lock()
        self.exchanges: list[Exchange] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(serving.certificate, serving.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="connection-proxy", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}"

    def drop_response(self, method: str, path: str, times: int = 1) -> None:
        """Forward the next `times` requests whose path matches the pattern, then close the client's connection without a response."""
        self._dropped += [(method, re.compile(path))] * times

    def connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._upstream, context=self._trust, timeout=60)

    def should_drop_response(self, method: str, target: str) -> bool:
        with self._lock:
            for rule in self._dropped:
                if rule[0] == method and rule[1].search(urlsplit(target).path):
                    self._dropped.remove(rule)
                    return True
        return False


def _handler(proxy: ConnectionProxy) -> type[BaseHTTPRequestHandler]:
    class ForwardingHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = proxy.connect()
            try:
                connection.request(self.command, self.path, body or None, _forwarded(self.headers.items()))
                with connection.getresponse() as response:
                    lost = proxy.should_drop_response(self.command, self.path)
                    end = self._dropped if lost else self._return
                    end(response, partial(self._record, response.status, answered=not lost))
            except (OSError, http.client.HTTPException):
                self.close_connection = True  # the API server or the client has disconnected; both see a closed connection
            finally:
                connection.close()

        def _record(self, status: int, size: int, *, answered: bool) -> None:
            proxy.exchanges.append(Exchange(self.command, self.path, status, size, answered, time.monotonic()))

        def _dropped(self, response: http.client.HTTPResponse, record: Callable[[int], None]) -> None:
            self.close_connection = True
            record(len(response.read()))

        def _return(self, response: http.client.HTTPResponse, record: Callable[[int], None]) -> None:
            """Forward the response, a stream piece by piece. The exchange is recorded before the client has the whole response."""
            self.send_response_only(response.status, response.reason)
            for name, value in _forwarded(response.getheaders()).items():
                self.send_header(name, value)
            if response.headers.get("Content-Length") is not None:
                self.end_headers()
                body = response.read()
                record(len(body))
                self.wfile.write(body)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            size = 0
            while piece := response.read1(CHUNK):
                size += len(piece)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            record(size)
            self.wfile.write(b"0\r\n\r\n")

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Requests are recorded in `exchanges`, not printed."""

    return ForwardingHandler


def _forwarded(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: value for name, value in headers if name.lower() not in NOT_FORWARDED}
