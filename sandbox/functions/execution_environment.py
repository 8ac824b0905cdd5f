"""One execution environment: a function with `awslambdaric` in the Lambda Runtime Interface Emulator, or with their stand-ins."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any, Self

from sandbox.functions import preloaded_runtime, process_reaper
from sandbox.functions.function import variables
from sandbox.functions.rie import client_module, emulator_command
from sandbox.loopback import reserved_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.functions.function import Function

_PATH = "/2015-03-31/functions/function/invocations"
_TIMED_OUT = re.compile(rb"Task timed out after [\d.]+ seconds")
_INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
# The emulator's own lines; the others are what CloudWatch Logs would contain.
_EMULATOR_LINE = re.compile(r"^(\d{2} \w{3} \d{4} [\d:,]+ \[\w+\] \(rapid\)|(START|END|REPORT) RequestId)")
_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class InvocationResult:
    """The result of one invocation. `payload` is the function's response, or the error in Lambda's format."""

    payload: bytes
    failed: bool
    cold: bool
    duration_ms: float
    request_id: str = ""

    def json(self) -> Any:
        return json.loads(self.payload or b"null")


class EnvironmentClosed(RuntimeError):
    """The environment was closed."""


class Environment:
    """One emulator process with one function; it runs one invocation at a time, as on Lambda.

    `on_line` receives each line that the function writes to stdout or stderr.
    """

    def __init__(self, function: Function, on_line: Callable[[str], None] | None = None) -> None:
        self.function = function
        self.lines: list[str] = []
        self.init_ms: list[float] = []
        self._on_line = on_line or (lambda _: None)
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        self._cold = True
        self._invoking = threading.Lock()
        self._lifecycle = threading.RLock()
        self._closed = False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the emulator; the function itself starts with its first invocation, as on Lambda.

        Raises:
            TimeoutError: the emulator does not listen in time.
            EnvironmentClosed: it was closed.
        """
        with self._lifecycle:
            if self._closed:
                raise EnvironmentClosed(self.function.name)
            self._spawn()

    def _spawn(self) -> None:
        self._port, api_port = reserved_port(), reserved_port()
        address, api = f"127.0.0.1:{self._port}", f"127.0.0.1:{api_port}"
        command = [*emulator_command(), "--runtime-interface-emulator-address", address, "--runtime-api-address", api]
        variables_of_function = variables(self.function)
        if self.function.preloaded:
            command += preloaded_runtime.command(self.function.handler, self.function.asset, variables_of_function)
        else:  # -S: no site-packages, so that a package that is missing from the asset is missing here too
            command += [sys.executable, "-S", "-m", client_module(), self.function.handler]
        self._process = subprocess.Popen(
            command,
            cwd=self.function.asset,
            env=variables_of_function,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        process_reaper.watch(self._process.pid)
        self._cold = True
        threading.Thread(target=self._read, args=(self._process,), daemon=True, name=f"log-{self.function.name}").start()
        _await_listening(self._port, self._process)

    def invoke(self, payload: bytes) -> InvocationResult:
        """Run the function once. An environment that died is replaced for the next invocation."""
        with self._invoking:
            cold, began = self._cold, time.monotonic()
            try:
                status, body = self._post(payload)
            except (OSError, HTTPException):
                with suppress(EnvironmentClosed):
                    self.restart()
                status, body = 502, b'{"errorType":"Runtime.ExitError","errorMessage":"Error: Runtime exited without providing a reason"}'
            failed = _failed(status, body)
            # Lambda replaces the environment after a crash or a time-out, and keeps it after an exception.
            self._cold = status != 200 or bool(_TIMED_OUT.fullmatch(body))
            return InvocationResult(_lambda_error(body), failed, cold, (time.monotonic() - began) * 1000)

    def kill(self) -> None:
        """Kill the process of the function; a running invocation ends as `Runtime.ExitError`."""
        for pid in self._children():
            process_reaper.kill(pid)

    def restart(self) -> None:
        """Replace the environment: the next invocation is a cold start."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End the emulator and the function, until it is started again. Safe to call twice."""
        with self._lifecycle:
            process, self._process = self._process, None
        if process is not None:
            process_reaper.end(process.pid)
            process.wait(timeout=_END_TIMEOUT_S)
            process_reaper.forget(process.pid)

    def close(self) -> None:
        """End it permanently: a running invocation cannot restart it."""
        with self._lifecycle:
            self._closed = True
            self.stop()

    def emulator_pids(self) -> list[int]:
        """Process id of the emulator, which starts the function; none while it is stopped."""
        return [self._process.pid] if self._process else []

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def pids(self) -> list[int]:
        """Process ids of the function; none before its first invocation."""
        return self._children()

    def _children(self) -> list[int]:
        return process_reaper.children_of(self._process.pid) if self._process else []

    def _post(self, payload: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=self.function.timeout_s + 30)
        try:
            connection.request("POST", _PATH, body=payload or b"{}", headers={"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            text = line.rstrip("\n")
            if init := _INIT.search(text):
                self.init_ms.append(float(init.group(1)))
            if text and not _EMULATOR_LINE.match(text):
                self.lines.append(text)
                self._on_line(text)


def _failed(status: int, body: bytes) -> bool:
    """Whether the invocation failed. The emulator answers 200 to an exception of the handler, so the body decides."""
    if status != 200 or _TIMED_OUT.fullmatch(body):
        return True
    try:
        answer = json.loads(body or b"null")
    except ValueError:
        return True
    return isinstance(answer, dict) and {"errorType", "errorMessage", "requestId"} <= answer.keys()


def _lambda_error(body: bytes) -> bytes:
    """A time-out in Lambda's format; other bodies unchanged."""
    if not _TIMED_OUT.fullmatch(body):
        return body
    return json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": body.decode()}).encode()


def _await_listening(port: int, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.2):
            return
        time.sleep(0.01)
    process.kill()
    raise TimeoutError(f"the Lambda emulator does not listen on port {port}; exit code {process.poll()}")
