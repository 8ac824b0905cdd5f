"""The one STS call that a login needs, GetCallerIdentity by presigned URL, behind TLS under STS' own regional name."""

import json
import socket
import ssl
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sandbox.control_plane.certificates import Serving
from sandbox.control_plane.presigned_url import Credential, Refused, signer

CredentialOf = Callable[[str], Credential | None]


def answer(target: str, headers: Mapping[str, str], credential_of: CredentialOf, now: datetime) -> tuple[int, dict[str, object]]:
    """Return status and JSON body for `GET target`, as STS gives them to `Accept: application/json`.

    Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
    """
    request_id = str(uuid.uuid4())
    try:
        caller = signer(target, headers, credential_of, now)
    except Refused as refusal:
        return 403, {"Error": {"Code": refusal.code, "Message": str(refusal), "Type": "Sender"}, "RequestId": request_id}
    result = {"Account": caller.account, "Arn": caller.arn, "UserId": caller.user_id}
    return 200, {"GetCallerIdentityResponse": {"GetCallerIdentityResult": result, "ResponseMetadata": {"RequestId": request_id}}}


class StsProxy:
    """An HTTPS proxy on loopback for the authenticator's `HTTPS_PROXY`: a CONNECT to STS ends here, any other is refused.

    `certificate` must be valid for the STS host names that tokens carry.
    """

    def __init__(self, certificate: Serving, credential_of: CredentialOf) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(context, credential_of))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, name="sts-proxy", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(context: ssl.SSLContext, credential_of: CredentialOf) -> type[BaseHTTPRequestHandler]:
    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, body = answer(self.path, headers, credential_of, datetime.now(UTC))
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing: the request line is a token."""

    class Connecting(Answering):
        def do_CONNECT(self) -> None:
            if not self.path.startswith("sts."):
                self.send_error(403, "only STS is reached through this proxy")
                return
            self.send_response(200, "Connection established")
            self.end_headers()
            self.close_connection = True
            self._serve_inside()

        def _serve_inside(self) -> None:
            try:
                with context.wrap_socket(self.connection, server_side=True) as inside:
                    Answering(inside, self.client_address, self.server)
                    inside.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the client hung up or does not trust us; its own log says which

    return Connecting
