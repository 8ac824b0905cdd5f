"""A small Lambda Runtime API in pure Python, for machines without AWS's emulator: one function, one invocation at a time.

Run with the command line of the emulator. It starts the function with the first invocation, ends it after its timeout, and answers
what the emulator answers. It limits no memory and reports no billing.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LONGEST_INIT_S: Final = 60.0
_RUNTIME: Final = "/2018-06-01/runtime"
_RESULT: Final = re.compile(rf"{_RUNTIME}/invocation/(?P<id>[0-9a-f-]+)/(?:response|error)")
_ANSWERED: Final = 202


@dataclass
class Invocation:
    """One invocation. `changed` is set when it was fetched, answered, or when its function ended."""

    payload: bytes
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    fetched_at: float | None = None
    answer: bytes | None = None
    has_ended: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)

    def change(self, **values: Any) -> None:
        """Set values and wake the thread that waits for them."""
        with self.changed:
            for name, value in values.items():
                setattr(self, name, value)
            self.changed.notify_all()


class Runtime:
    """The process of a function. Each has a queue of its own, so that no request of an ended process takes an invocation."""

    def __init__(self, command: Sequence[str], api_address: str) -> None:
        self.waiting: queue.SimpleQueue[Invocation | None] = queue.SimpleQueue()
        self.current: Invocation | None = None
        self.init_error: bytes | None = None
        self._started_at = time.monotonic()
        self._is_initialized = False
        name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "function")
        variables = {
            **os.environ,
            "AWS_LAMBDA_RUNTIME_API": api_address,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_STREAM_NAME": f"local/{name}",
            "_HANDLER": command[-1],
        }
        self.process = subprocess.Popen(command, env=variables, process_group=0)
        threading.Thread(target=self._wait, daemon=True).start()

    @property
    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def next(self) -> Invocation | None:
        """The next invocation; None when the process has ended. The first call ends the initialization."""
        if not self._is_initialized:
            self._is_initialized = True
            took_ms = (time.monotonic() - self._started_at) * 1000
            print(f"{time.strftime('%d %b %Y %H:%M:%S')},000 [INFO] (rapid) INIT REPORT(durationMs: {took_ms:.3f})", flush=True)
        found = self.waiting.get()
        if found:
            self.current = found
            found.change(fetched_at=time.monotonic())
        return found

    def end(self) -> None:
        """Kill the process and its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _wait(self) -> None:
        self.process.wait()
        self.waiting.put(None)
        if self.current:
            self.current.change(has_ended=True)


class Emulator:
    """Invokes the function of a command. A process that crashed or timed out is replaced by the next invocation."""

    def __init__(self, command: Sequence[str], api_address: str, timeout_s: float) -> None:
        self._command, self._api_address, self._timeout_s = command, api_address, timeout_s
        self._invoking = threading.Lock()
        self.runtime: Runtime | None = None

    def invoke(self, payload: bytes) -> tuple[int, bytes]:
        """Status and body of the response to one invocation."""
        with self._invoking:
            if self.runtime is None or self.runtime.has_ended:
                self.runtime = Runtime(self._command, self._api_address)
            runtime, invocation = self.runtime, Invocation(payload)
            runtime.waiting.put(invocation)
            is_fetched = self._await(invocation, LONGEST_INIT_S, lambda: invocation.fetched_at is not None or runtime.has_ended)
            if is_fetched and invocation.fetched_at is not None:
                self._await(invocation, self._timeout_s, lambda: invocation.answer is not None or invocation.has_ended)
            if invocation.answer is not None:
                return 200, invocation.answer
            if not runtime.has_ended:
                runtime.end()
                return 200, f"Task timed out after {self._timeout_s:.2f} seconds".encode()
            return 502, runtime.init_error or _exited(invocation.id, runtime.process.returncode)

    @staticmethod
    def _await(invocation: Invocation, within_s: float, holds: Callable[[], bool]) -> bool:
        """Wait until the condition holds. Waits in slices, since a process that ends during its initialization changes no invocation."""
        until = time.monotonic() + within_s
        with invocation.changed:
            while not holds() and (left := until - time.monotonic()) > 0:
                invocation.changed.wait(min(left, 0.05))
        return holds()

    def answer(self, request_id: str, body: bytes) -> bool:
        """Take the answer to the present invocation; False if there is no such invocation."""
        current = self.runtime.current if self.runtime else None
        if current is None or current.id != request_id:
            return False
        current.change(answer=body)
        return True


def _exited(request_id: str, code: int | None) -> bytes:
    message = f"RequestId: {request_id} Error: Runtime exited with error: exit status {code}"
    return json.dumps({"errorType": "Runtime.ExitError", "errorMessage": message}).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for each response: two would wait for the acknowledgement of the first
    emulator: Emulator

    def log_message(self, *_: Any) -> None:
        """The output belongs to the function."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


class InvocationHandler(_Handler):
    """Answers those who invoke the function."""

    def do_POST(self) -> None:
        """Invoke the function."""
        self._send(*self.emulator.invoke(self._body()))


class RuntimeApiHandler(_Handler):
    """Answers the runtime client of the function."""

    def do_GET(self) -> None:
        """Wait for the next invocation."""
        runtime = self.emulator.runtime
        found = runtime.next() if runtime and self.path == f"{_RUNTIME}/invocation/next" else None
        if found is None:
            self._send(410, b"{}")
            return
        name, region = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "function"), os.environ.get("AWS_REGION", "us-east-1")
        deadline = time.time() + float(os.environ.get("AWS_LAMBDA_FUNCTION_TIMEOUT", "3"))
        headers = {
            "Lambda-Runtime-Aws-Request-Id": found.id,
            "Lambda-Runtime-Deadline-Ms": str(round(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": f"arn:aws:lambda:{region}:012345678912:function:{name}",
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        self._send(200, found.payload, headers)

    def do_POST(self) -> None:
        """Take the answer to an invocation, or the error of an initialization."""
        body, found = self._body(), _RESULT.fullmatch(self.path)
        if self.path == f"{_RUNTIME}/init/error" and self.emulator.runtime:
            self.emulator.runtime.init_error = body
            self._send(_ANSWERED, b"{}")
        elif found and self.emulator.answer(found["id"], body):
            self._send(_ANSWERED, b"{}")
        else:
            self._send(400, b'{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}')


def _serve(address: str, handler: type[_Handler]) -> ThreadingHTTPServer:
    host, _, port = address.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main(arguments: Sequence[str]) -> int:
    """Serve until the process is killed."""
    parser = argparse.ArgumentParser(description="Run a function under a small Lambda Runtime API.")
    parser.add_argument("--runtime-interface-emulator-address", required=True)
    parser.add_argument("--runtime-api-address", required=True)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    timeout_s = float(os.environ.get("AWS_LAMBDA_FUNCTION_TIMEOUT", "3"))
    _Handler.emulator = Emulator(options.command, options.runtime_api_address, timeout_s)
    _serve(options.runtime_api_address, RuntimeApiHandler)
    _serve(options.runtime_interface_emulator_address, InvocationHandler)
    threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
