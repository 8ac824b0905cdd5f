"""The execution environments of one function: reused when idle, added up to its concurrency; further invocations wait."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from sandbox.functions.execution_environment import Environment, InvocationResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.functions.function import Function


class FunctionPool:
    """All environments of one function. The environment used last is reused first, as on Lambda, so that few stay warm."""

    def __init__(self, function: Function, on_line: Callable[[str, str], None] | None = None) -> None:
        self.function = function
        self._on_line = on_line
        self._all: list[Environment] = []
        self._idle: list[Environment] = []
        self._changed = threading.Condition()
        self._closed = False
        self.durations_ms: list[float] = []
        """How long each invocation took, cold starts included."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def invoke(self, payload: bytes) -> InvocationResult:
        """Run the function in an idle environment, a new one, or the next one that becomes idle.

        Raises:
            RuntimeError: the pool is closed.
        """
        environment = self._take()
        try:
            if not environment.running():
                environment.start()
            result = environment.invoke(payload)
            self.durations_ms.append(result.duration_ms)
            return result
        finally:
            with self._changed:
                self._idle.append(environment)
                self._changed.notify()

    def kill(self) -> None:
        """Kill the processes of the function in every environment."""
        for environment in tuple(self._all):
            environment.kill()

    def restart(self) -> None:
        """Let the next invocation of every environment start cold."""
        for environment in tuple(self._all):
            environment.stop()

    def start(self) -> list[int]:
        """Start the emulators that are stopped; returns the process ids of all. The functions start with their first invocation."""
        for environment in tuple(self._all):
            if not environment.running():
                environment.start()
        return [pid for environment in tuple(self._all) for pid in environment.emulator_pids()]

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for environment in self._all:
            environment.close()

    def lines(self) -> list[str]:
        """The output of the function, environment after environment."""
        return [line for environment in tuple(self._all) for line in environment.lines]

    def init_ms(self) -> list[float]:
        """Durations of the cold starts so far."""
        return [took for environment in tuple(self._all) for took in environment.init_ms]

    def pids(self) -> list[int]:
        """Process ids of the function in every environment."""
        return [pid for environment in tuple(self._all) for pid in environment.pids()]

    def _take(self) -> Environment:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._idle or len(self._all) < self.function.concurrency)
            if self._closed:
                raise RuntimeError(f"{self.function.name} is shut down")
            if self._idle:
                return self._idle.pop()
            environment = Environment(self.function, self._line)
            self._all.append(environment)
            return environment

    def _line(self, line: str) -> None:
        if self._on_line is not None:
            self._on_line(self.function.name, line)
