"""Functions that wait in the middle, and continue later where they were. Only one function runs at a time.

The product's code is neither a generator nor asynchronous, so each waiting function needs a stack of its own: the one of a thread.
"""

from __future__ import annotations

import os
from _thread import allocate_lock
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


class Abandoned(BaseException):
    """Nobody waits for the function any more. It derives from BaseException, so that no handler catches it as a failure."""


class Coroutine:
    """A thread that runs one function after the other, and only while its caller is in `start` or `resume`."""

    def __init__(self) -> None:
        self.is_waiting = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._is_abandoned = False
        self._turn, self._back = allocate_lock(), allocate_lock()
        self._turn.acquire()
        self._back.acquire()
        Thread(target=self._run, daemon=True).start()

    def start(self, do: Callable[[], Any]) -> None:
        """Run this function until it waits or ends. Then `is_waiting` holds, or it has a result or an error."""
        self._do, self.error, self._is_abandoned = do, None, False
        self.resume()

    def resume(self) -> None:
        """Continue a function that waits, until it waits again or ends."""
        self._turn.release()
        self._back.acquire()

    def wait(self) -> None:
        """Let the caller continue until it resumes this function. Only the function may call this.

        Raises:
            Abandoned: the function is not continued.
        """
        if not self._is_abandoned:
            self.is_waiting = True
            self._back.release()
            self._turn.acquire()
            self.is_waiting = False
        if self._is_abandoned:
            raise Abandoned

    def abandon(self) -> None:
        """End a function that waits."""
        self._is_abandoned = True
        self.resume()

    def _run(self) -> None:
        while True:
            self._turn.acquire()
            try:
                self.result = self._do()
            except BaseException as error:  # noqa: BLE001 - the caller gets it
                self.error = error
            self._back.release()


_IDLE: Final[list[Coroutine]] = []
"""Threads for the next functions: to start one takes longer than most functions do."""
os.register_at_fork(after_in_child=_IDLE.clear)


def borrow() -> Coroutine:
    """A coroutine that runs nothing. `give_back` it once its function has ended."""
    return _IDLE.pop() if _IDLE else Coroutine()


def give_back(coroutine: Coroutine) -> None:
    """Let others use it."""
    _IDLE.append(coroutine)
