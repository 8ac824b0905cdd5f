"""The endpoint of the local AWS: finds the service of a request, applies faults, forwards the request and logs it."""

from __future__ import annotations

import logging
import re
import socket
import struct
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from sandbox.aws.call_log import ApiRequest, Call, parse_api_request
from sandbox.aws.faults import ConnectionDropped
from sandbox.aws.http_messages import Request, Response, Scope, json_response, scope_of
from sandbox.aws.service_model import model_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.aws.call_log import CallLog
    from sandbox.aws.faults import FaultPlan

    Backend = Callable[[Request], Response]

_log = logging.getLogger(__name__)
_HOST = re.compile(r"(?:^|\.)(sts|eks|lambda|ssm|sns|sqs|events|dynamodb|monitoring|logs|iam)[.-]")
_ERROR_CODE = re.compile(rb"<Code>([^<]+)</Code>|\"(?:__type|code|Code)\"\s*:\s*\"(?:[^\"]*#)?([^\"]+)\"")


class Gateway:
    """`backends` by botocore service name; `fallback` answers the rest; `principal_of` maps an access key to its owner."""

    def __init__(
        self,
        *,
        backends: Mapping[str, Backend],
        fallback: Backend,
        calls: CallLog,
        faults: FaultPlan,
        principal_of: Callable[[str], str],
    ) -> None:
        self._backends = dict(backends)
        self._fallback = fallback
        self._calls = calls
        self._faults = faults
        self._principal_of = principal_of
        self._server: ThreadingHTTPServer | None = None

    def backend_of(self, service: str) -> Backend:
        """What answers a service now."""
        return self._backends.get(service, self._fallback)

    def route(self, service: str, backend: Backend) -> None:
        """Answer a service by `backend` from now on."""
        self._backends[service] = backend

    def start(self) -> str:
        """Serve on a loopback port: the port of the previous gateway if it is free, so that existing clients remain usable.

        Returns:
            URL of the endpoint.
        """
        self._server = _server(_handler_of(self.answer))
        # The default poll interval of half a second would delay every stop.
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="local-aws", daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._faults.stop()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, request: Request) -> Response:
        """Answer a request by its service.

        Raises:
            ConnectionDropped: a fault dropped the response.
        """
        scope = scope_of(request) or Scope("", "", _service_of_unsigned(request))
        api_request = _parsed_request(request, scope)
        principal = self._principal_of(scope.access_key_id)
        status, error = 0, "ConnectionDropped"
        try:
            response = self._respond(request, scope, api_request, principal)
            status, error = response.status, _error_code(response)
        finally:
            self._calls.add(
                Call(
                    service=api_request.service,
                    action=action,
                    principal=principal,
                    params=params,
                    region=scope.region,
                    status=status,
                    error=error,
                )
                for action, params in api_request.actions()
            )
        return response

    def _respond(self, request: Request, scope: Scope, api_request: ApiRequest, principal: str) -> Response:
        backend = self._backends.get(model_name(scope.service), self._fallback)
        fault = self._faults.take(api_request, principal)
        if fault is None:
            return backend(request)
        if fault.after_effect:
            backend(request)
        return self._faults.respond(fault, api_request)


def _parsed_request(request: Request, scope: Scope) -> ApiRequest:
    try:
        return parse_api_request(request, scope)
    except (ValueError, KeyError, NotImplementedError):  # malformed on purpose: the service must reject it
        return ApiRequest(model_name(scope.service), "", {})


def _service_of_unsigned(request: Request) -> str:
    """The service of an unsigned request, from its host or from Lambda's paths."""
    if request.path.startswith(("/2015-03-31/", "/2025-12-01/")):
        return "lambda"
    host = _HOST.search(request.header("host"))
    return host.group(1) if host else "sts" if "Action=GetCallerIdentity" in request.query else ""


def _error_code(response: Response) -> str:
    if response.status < 400:
        return ""
    header = {name.lower(): value for name, value in response.headers.items()}.get("x-amzn-errortype", "")
    found = _ERROR_CODE.search(response.body)
    body = next((group.decode() for group in found.groups() if group), "") if found else ""
    return header.partition(":")[0] or body or str(response.status)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:  # the client disconnected
        _log.debug("connection from %s ended early", client_address)


_last_port = 0


def _server(handler: type[BaseHTTPRequestHandler]) -> _Server:
    global _last_port  # noqa: PLW0603  # a process's, as moto's state is
    try:
        server = _Server(("127.0.0.1", _last_port), handler)
    except OSError:  # another process has it by now
        server = _Server(("127.0.0.1", 0), handler)
    _last_port = server.server_address[1]
    return server


def _handler_of(answer: Callable[[Request], Response]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            try:
                response = _answered(answer, self._request())
            except ConnectionDropped:
                _reset(self.connection)
                self.close_connection = True
                return
            self.send_response_only(response.status)
            for name, value in response.headers.items():
                if name.lower() not in ("content-length", "connection", "server", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815

        def _request(self) -> Request:
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            length = int(headers.get("content-length", "0"))
            body = self.rfile.read(length)
            if len(body) < length:  # the client was killed while it sent the request
                raise ConnectionDropped
            return Request(self.command, path, query, headers, body)

        def log_message(self, *_: Any) -> None:
            """Calls are logged in `CallLog`, not printed."""

    return Handler


def _answered(answer: Callable[[Request], Response], request: Request) -> Response:
    try:
        return answer(request)
    except ConnectionDropped:
        raise
    except Exception:  # noqa: BLE001  # a bug of the double must reach the client as a response and the developer as a traceback
        _log.exception("%s %s failed inside the local AWS", request.method, request.path)
        return json_response(500, {"__type": "InternalFailure", "message": "the local AWS failed, see its log"})


def _reset(connection: socket.socket) -> None:
    """Close with RST instead of FIN, as a crashed peer does."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
