"""Answers that are kept for a while, so that a warm process asks again only for what may have changed."""

from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class Remembered(Generic[Answer]):
    """Answers by key, each for `for_s` seconds; 0 asks every time. Errors are not kept. Safe to share between threads."""

    def __init__(self, for_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._for_s = for_s
        self._clock = clock
        self._answers: dict[Hashable, tuple[float, Answer]] = {}
        self._lock = Lock()

    def known(self, key: Hashable) -> Answer | None:
        """The answer, where there is one less than `for_s` seconds old."""
        with self._lock:
            asked_at, answer = self._answers.get(key, (None, None))
        return answer if asked_at is not None and self._clock() - asked_at < self._for_s else None

    def get(self, key: Hashable, ask: Callable[[], Answer]) -> Answer:
        """The answer to `ask`, less than `for_s` seconds old. Two threads that find none both ask."""
        known = self.known(key)
        if known is not None:
            return known
        began = self._clock()  # an answer may be as old as its question
        fresh = ask()
        with self._lock:
            self._answers[key] = (began, fresh)
        return fresh
