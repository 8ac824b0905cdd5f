"""HTTP/1.1 over TLS with keep-alive, one thread per connection."""

from __future__ import annotations

import gzip
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from sandbox.cluster.http_messages import Request, Response

# The API server compresses from this size on: https://github.com/kubernetes/apiserver/blob/master/pkg/endpoints/handlers/responsewriters/writers.go
_GZIP_FROM_BYTES = 128 * 1024
_IDLE_S = 90  # an idle connection is closed after this time
Answer = Callable[[Request], Response | None]
"""Answers a request; None closes the connection without an answer."""


class Certificate(Protocol):
    """A server certificate with its key, e.g. trustme's `LeafCert`."""

    def configure_cert(self, ctx: Any) -> None:
        """Load certificate and key into a TLS context."""


class TlsServer(ThreadingHTTPServer):
    """Serves on a free loopback port until it is stopped."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, certificate: Certificate, answer: Answer, sent: Callable[[Request, int, int], None] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.sent = sent or (lambda _request, _status, _length: None)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self._tls)
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True, name="cluster-accept")

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop, and close the open connections, so that keep-alive clients notice it."""
        self.shutdown()
        self.server_close()
        for connection in tuple(self._open):
            _cut(connection)
        self._thread.join(timeout=5)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Runs in the thread of the connection, so that a slow handshake does not delay others."""
        request.settimeout(_IDLE_S)
        try:
            connection = self._tls.wrap_socket(request, server_side=True)
        except OSError:  # the client rejected the certificate or disconnected
            return
        self._open.add(connection)
        try:
            super().finish_request(connection, client_address)
        finally:
            self._open.discard(connection)
            connection.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect during a response; print other errors, which are bugs."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # already closed


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write to the socket an answer
    disable_nagle_algorithm = True
    server: TlsServer

    def _serve(self) -> None:
        request = self._request()
        response = self.server.answer(request)
        if response is None:
            self.close_connection = True
            self.server.sent(request, 0, 0)
            _cut(self.connection)
            return
        body = self._encoded(request, response)
        self.server.sent(request, response.status, len(body))
        self.wfile.write(body)
        self.wfile.flush()

    def _request(self) -> Request:
        target = urlsplit(self.path)
        query = dict(reversed(parse_qsl(target.query, keep_blank_values=True)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        return Request(method=self.command, path=target.path, query=query, headers=headers, body=body)

    def _encoded(self, request: Request, response: Response) -> bytes:
        """Send the headers; returns the body, compressed if the client accepts it and the body is large."""
        packed = "gzip" in request.header("accept-encoding") and len(response.body) >= _GZIP_FROM_BYTES
        body = gzip.compress(response.body, compresslevel=1) if packed else response.body
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(body)))
        if packed:
            self.send_header("Content-Encoding", "gzip")
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        return b"" if request.method == "HEAD" else body

    def log_message(self, *_: object) -> None:
        """Requests are recorded, not printed."""

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815
