"""A cache with a time to live, for facts that a warm process would else read again for each event."""

from collections.abc import Callable, Hashable
from threading import Lock
from time import monotonic
from typing import Generic, TypeVar

Value = TypeVar("Value")


class TtlCache(Generic[Value]):
    """Values by key, each cached for `ttl_s` seconds; 0 disables caching. Errors are not cached. Safe to share between threads."""

    def __init__(self, ttl_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._ttl_s = ttl_s
        self._clock = clock
        self._values: dict[Hashable, tuple[float, Value]] = {}
        self._lock = Lock()

    def known(self, key: Hashable) -> Value | None:
        """The value if it is less than `ttl_s` seconds old, else None."""
        with self._lock:
            read_at, value = self._values.get(key, (None, None))
        return value if read_at is not None and self._clock() - read_at < self._ttl_s else None

    def get(self, key: Hashable, read: Callable[[], Value]) -> Value:
        """The cached value, else the value that `read` returns. Two threads that find none both call it."""
        cached = self.known(key)
        if cached is not None:
            return cached
        began = self._clock()  # the value may be as old as the start of the read
        fresh = read()
        with self._lock:
            self._values[key] = (began, fresh)
        return fresh
