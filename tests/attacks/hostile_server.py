"""An API server with the right certificate that answers as an attacker likes."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lambdas.adapters.cluster import Cluster, Clusters
from tests.integration.adapters.embedded_clusters import authority, facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import trustme

SECRET = "k8s-aws-v1.U0VDUkVUVE9LRU4"


class SecretTokens:
    """The token that must appear nowhere."""

    def get(self, cluster: str) -> str:
        return SECRET

    def forget(self, cluster: str, refused: str) -> bool:
        return False


@contextmanager
def serving(
    answer: Callable[[Any], None], certificate: Callable[[trustme.CA], trustme.LeafCert] | None = None, *, host: str = "127.0.0.1"
) -> Iterator[Cluster]:
    """A client of a server that answers each request by calling `answer` with the handler."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            try:
                answer(self)
            except OSError:  # the client has closed the connection, as it should
                self.close_connection = True

        do_PATCH = do_DELETE = do_GET  # noqa: N815  # names of the base class

    ca = authority()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (certificate(ca) if certificate else ca.issue_cert(host)).configure_cert(context)

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        told = facts(f"https://{host}:{server.server_port}", ca.cert_pem.bytes())
        yield Clusters(SecretTokens()).login(told)  # type: ignore[arg-type]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def send(handler: Any, body: bytes, status: int = 200, **headers: str) -> None:
    """Send one whole answer."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def pod(number: int, padding: int = 0) -> dict[str, Any]:
    """A pod with an annotation of that many characters."""
    return {
        "metadata": {
            "name": f"p{number}",
            "uid": str(number),
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"x": "y" * padding},
        },
        "spec": {"containers": []},
        "status": {},
    }


def page(items: list[Any], token: str = "") -> bytes:
    """One page of a list."""
    return json.dumps({"metadata": {"continue": token}, "items": items}).encode()
