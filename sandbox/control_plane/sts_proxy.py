"""Redirects the authenticator's call to STS, a public host over TLS, to the local STS."""

import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from sandbox.aws.http_messages import Request, Response
from sandbox.control_plane.certificates import CertificateFiles

Sts = Callable[[Request], Response]


class StsProxy:
    """An HTTPS proxy on loopback for the authenticator's `HTTPS_PROXY`: it terminates a CONNECT to STS and rejects any other.

    Args:
        certificate: valid for the STS host names in tokens.
        sts: answers GetCallerIdentity and checks the signature.
    """

    def __init__(self, certificate: CertificateFiles, sts: Sts) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(context, sts))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="sts-proxy", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(context: ssl.SSLContext, sts: Sts) -> type[BaseHTTPRequestHandler]:
    class StsHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            at = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = sts(Request("GET", at.path, at.query, headers))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Requests are not logged, because the request line contains a token."""

    class ConnectHandler(StsHandler):
        def do_CONNECT(self) -> None:
            if not self.path.startswith("sts."):
                self.send_error(403, "this proxy allows connections to STS only")
                return
            self.send_response(200, "Connection established")
            self.end_headers()
            self.close_connection = True
            self._serve_inside()

        def _serve_inside(self) -> None:
            try:
                with context.wrap_socket(self.connection, server_side=True) as inside:
                    StsHandler(inside, self.client_address, self.server)
                    inside.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the client disconnected or does not trust the certificate; its own log says which

    return ConnectHandler
