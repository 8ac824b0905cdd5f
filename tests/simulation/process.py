"""A process: a part of the product that runs until its next call has to wait, and continues in virtual time.

The code between two calls depends only on their results. So a process is interleaved with others without threads: where a call takes
longer than until the next thing is due, the process ends, and later runs again from its start with the recorded results.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final

from lambdas.domain.errors import RemediatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from datetime import datetime, timedelta

    from tests.simulation.scheduler import Scheduler

MEDIAN_S: Final = 0.04
"""Median duration of one call."""


class Suspended(BaseException):
    """The process waits. It derives from BaseException, so that no handler catches it as a failure."""


class Crashed(BaseException):
    """The process ends without a trace of its last call, except the effect of that call."""


@dataclass(frozen=True)
class Recorded:
    """The result of one call: a value or an error."""

    method: str
    value: Any = None
    error: Exception | None = None


class Process:
    """One run of a program. `hazards` decides about crashes and slow calls, `observer` sees each call after its effect."""

    def __init__(
        self,
        name: str,
        scheduler: Scheduler,
        *,
        seed: str,
        skew: timedelta,
        hazards: Callable[[Process, str, Random], tuple[float, bool]],
        observer: Callable[[Process, str, tuple[Any, ...], Callable[[], Any]], Any],
    ) -> None:
        self.name = name
        self.scheduler = scheduler
        self.skew = skew
        self.began_at = scheduler.now
        self.chance = Random(f"{seed} {name}")
        self.program: Callable[[], Any] = lambda: None
        self.on_end: Callable[[Any], None] = lambda _: None
        self.on_crash: Callable[[], None] = lambda: None
        self.on_cached: Callable[[str, tuple[Any, ...], Any], None] = lambda *_: None
        self.on_failure: Callable[[RemediatorError], None] = lambda _: None
        self.deadline: datetime | None = None
        self.is_over = False
        self._hazards = hazards
        self._observer = observer
        self._results: list[Recorded] = []
        self._position = 0
        self._has_waited = False
        self._crashes_after_call = False
        self._wakes = 0
        self._identifiers = 0

    def start(self, seconds: float = 0.0) -> None:
        """Run from the beginning after this time."""
        self._schedule(seconds)

    def wake(self) -> None:
        """Continue now: what the process waits for has happened."""
        self._schedule(0.0)

    def _schedule(self, seconds: float) -> None:
        self._wakes += 1
        number = self._wakes
        self.scheduler.after(seconds, lambda: self._run() if number == self._wakes and not self.is_over else None)

    def _run(self) -> None:
        self._position = self._identifiers = 0
        try:
            result = self.program()
        except Suspended:
            return
        except Crashed:
            self.forget_results()
            self.on_crash()
        except RemediatorError as error:
            self.is_over = True
            self.on_failure(error)
        else:
            self.is_over = True
            self.on_end(result)

    def forget_results(self) -> None:
        """A checkpoint holds the results so far, or they are lost."""
        self._results.clear()
        self._position = 0
        self._has_waited = False

    @property
    def is_replaying(self) -> bool:
        """Whether the next call has a recorded result."""
        return self._position < len(self._results)

    def call(self, method: str, arguments: tuple[Any, ...], effect: Callable[[], Any]) -> Any:
        """The result of a call to the outside. It may take time, fail, or be the last one of this process."""
        if self.is_replaying:
            return self._replayed(method)
        if not self._has_waited:
            seconds, self._crashes_after_call = self._hazards(self, method, self.chance)
            self._wait(seconds)
        self._has_waited = False
        if self.deadline and self.scheduler.now > self.deadline:
            raise Crashed
        try:
            recorded = Recorded(method, self._observer(self, method, arguments, effect))
        except RemediatorError as error:
            recorded = Recorded(method, error=error)
        if self._crashes_after_call:
            raise Crashed
        return self._record(recorded)

    def sleep(self, seconds: float) -> None:
        """Virtual time passes."""
        if self.is_replaying:
            self._replayed("sleep")
            return
        if not self._has_waited:
            self._wait(seconds)
        self._has_waited = False
        self._record(Recorded("sleep"))

    def pause(self, seconds: float) -> None:
        """Virtual time passes between two checkpoints. Nothing is recorded, since a replay begins after it."""
        if not self._has_waited:
            self._crashes_after_call = False
            self._wait(seconds)
        self._has_waited = False

    def wait_for(self, is_done: Callable[[], bool], seconds: float) -> None:
        """Wait until `wake` is called and the condition holds, or until the time is up."""
        if self.is_replaying:
            self._replayed("wait")
            return
        if not self._has_waited and not is_done():
            self._has_waited = True
            self._schedule(seconds)
            raise Suspended
        self._has_waited = False
        self._record(Recorded("wait"))

    def now(self) -> datetime:
        """The clock of this process."""
        return self.note(lambda: self.scheduler.now + self.skew)

    def note(self, read: Callable[[], Any]) -> Any:
        """The result of something that takes no time and that a replay must not read anew."""
        return self._replayed("note") if self.is_replaying else self._record(Recorded("note", read()))

    def identifier(self) -> str:
        """A name that no other process makes, the same one in a replay."""
        self._identifiers += 1
        return f"{Random(f'{self.name} {self._identifiers}').getrandbits(48):012x}"

    def _wait(self, seconds: float) -> None:
        if not self.scheduler.pass_time(seconds):
            self._has_waited = True
            self._schedule(seconds)
            raise Suspended

    def _record(self, recorded: Recorded) -> Any:
        self._results.append(recorded)
        return self._replayed(recorded.method)

    def _replayed(self, method: str) -> Any:
        recorded = self._results[self._position]
        assert method == recorded.method, f"a replay of {self.name} called {method} instead of {recorded.method}"
        self._position += 1
        if recorded.error:
            raise recorded.error
        return recorded.value


class Cache:
    """Results that a warm process keeps for a while, by method, as the adapters keep them."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = seconds
        self._values: dict[Hashable, tuple[datetime, Any]] = {}

    def known(self, method: str, arguments: Hashable, now: datetime) -> Any:
        """The value if it is young enough, else None."""
        read_at, value = self._values.get((method, arguments), (None, None))
        return value if read_at is not None and (now - read_at).total_seconds() < self._seconds.get(method, 0.0) else None

    def keep(self, method: str, arguments: Hashable, began_at: datetime, value: Any) -> None:
        """Keep a value that a read gave which began then."""
        if self._seconds.get(method):
            self._values[method, arguments] = (began_at, value)


class Port:
    """Any port over its fake: each method is one call of the process."""

    def __init__(self, process: Process, name: str, fake: Any, cache: Cache | None = None) -> None:
        self._process = process
        self._name = name
        self._fake = fake
        self._cache = cache

    def __getattr__(self, attribute: str) -> Callable[..., Any]:
        method, name = getattr(self._fake, attribute), f"{self._name}.{attribute}"
        process, cache = self._process, self._cache

        def call(*arguments: Any, **named: Any) -> Any:
            key = arguments if cache and all(isinstance(item, str | None) for item in arguments) else None
            if cache and key is not None:
                is_first = not process.is_replaying
                known = process.note(lambda: cache.known(name, key, process.scheduler.now))
                if known is not None:
                    if is_first:
                        process.on_cached(name, key, known)
                    return known
            began_at = process.scheduler.now
            is_replay = process.is_replaying
            result = process.call(name, arguments, lambda: method(*arguments, **named))
            if cache and key is not None and not is_replay:
                cache.keep(name, key, began_at, result)
            return Port(process, "cluster", result) if name == "clusters.login" else result

        return call
