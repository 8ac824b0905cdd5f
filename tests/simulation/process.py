"""A process: a part of the product that runs until its next call has to wait, and continues in virtual time.

A call takes time. Where something else is due before its end, the process waits, and the scheduler runs what is due. A process that
crashes, and an execution that waits between two checkpoints, begin again from the start of their program.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

from lambdas.domain.errors import RemediatorError, TransientError
from tests.simulation.coroutine import Abandoned, Coroutine, borrow, give_back

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from datetime import datetime, timedelta

    from tests.simulation.scheduler import Scheduler

MEDIAN_S: Final = 0.04
"""Median duration of one call."""


class Suspended(BaseException):
    """The process ends, and begins again after a while. It derives from BaseException, so that no handler catches it as a failure."""


class Crashed(BaseException):
    """The process ends without a trace of its last call, except the effect of that call."""


class Process:
    """One run of a program. `hazards` decides about crashes and slow calls, `observer` sees each call with its effect."""

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
        self.on_run: Callable[[], None] = lambda: None
        self.on_end: Callable[[Any], None] = lambda _: None
        self.on_crash: Callable[[], None] = lambda: None
        self.on_cached: Callable[[str, tuple[Any, ...], Any], None] = lambda *_: None
        self.on_failure: Callable[[RemediatorError], None] = lambda _: None
        self.deadline: datetime | None = None
        self.is_over = False
        self._hazards = hazards
        self._observer = observer
        self._waiting: Coroutine | None = None
        self._has_paused = False
        self._wakes = 0
        self._identifiers = 0

    def start(self, seconds: float = 0.0) -> None:
        """Run from the beginning after this time."""
        self._schedule(seconds)

    def wake(self) -> None:
        """Continue now: what the process waits for has happened."""
        self._schedule(0.0)

    def abandon(self) -> None:
        """Do not continue this process."""
        if coroutine := self._waiting:
            self._waiting = None
            coroutine.abandon()
            give_back(coroutine)

    def _schedule(self, seconds: float) -> None:
        self._wakes += 1
        number = self._wakes
        self.scheduler.after(seconds, lambda: self._run() if number == self._wakes and not self.is_over else None)

    def _run(self) -> None:
        self.on_run()
        if coroutine := self._waiting:
            coroutine.resume()
        else:
            self._identifiers, coroutine = 0, borrow()
            self._waiting = coroutine
            coroutine.start(self.program)
        if not coroutine.is_waiting:
            self._waiting = None
            give_back(coroutine)
            self._finish(coroutine.result, coroutine.error)

    def _finish(self, result: Any, error: BaseException | None) -> None:
        match error:
            case None:
                self.is_over = True
                self.on_end(result)
            case Suspended():
                pass
            case Crashed():
                self._has_paused = False
                self.on_crash()
            case RemediatorError():
                self.is_over = True
                self.on_failure(error)
            case _:
                raise error

    def call(self, method: str, arguments: tuple[Any, ...], effect: Callable[[], Any]) -> Any:
        """The result of a call to the outside. It may take time, fail, or be the last one of this process."""
        self._has_paused = False  # the program has gone past the pause
        seconds, crashes_after_call = self._hazards(self, method, self.chance)
        self.sleep(seconds)
        if self.deadline and self.scheduler.now > self.deadline:
            raise Crashed
        try:
            result = self._observer(self, method, arguments, effect)
        except RemediatorError:
            if crashes_after_call:
                raise Crashed from None
            raise
        if crashes_after_call:
            raise Crashed
        return result

    def sleep(self, seconds: float) -> None:
        """Virtual time passes."""
        if not self.scheduler.pass_time(seconds):
            self._wait(seconds)

    def pause(self, seconds: float) -> None:
        """Virtual time passes between two checkpoints. Where something else is due in it, the program begins again afterwards."""
        if not self._has_paused and not self.scheduler.pass_time(seconds):
            self._has_paused = True
            self._schedule(seconds)
            raise Suspended
        self._has_paused = False

    def wait_for(self, is_done: Callable[[], bool], seconds: float) -> None:
        """Wait until `wake` is called, unless the condition holds already, or until the time is up."""
        if not is_done():
            self._wait(seconds)

    def now(self) -> datetime:
        """The clock of this process."""
        return self.scheduler.now + self.skew

    def identifier(self) -> str:
        """A name that no other process makes, the same one when the program begins again."""
        self._identifiers += 1
        return f"{Random(f'{self.name} {self._identifiers}').getrandbits(48):012x}"

    def _wait(self, seconds: float) -> None:
        if self._waiting is None:
            raise Abandoned
        self._schedule(seconds)
        self._waiting.wait()


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
    """Any port over its fake: each method is one call of the process. The API server of a deleted `cluster` does not answer."""

    def __init__(self, process: Process, name: str, fake: Any, cache: Cache | None = None, cluster: str = "") -> None:
        self._process = process
        self._name = name
        self._fake = fake
        self._cache = cache
        self._cluster = cluster

    def __getattr__(self, attribute: str) -> Callable[..., Any]:
        method, name = getattr(self._fake, attribute), f"{self._name}.{attribute}"
        process, cache = self._process, self._cache

        def effect(*arguments: Any, **named: Any) -> Any:
            if self._cluster and self._cluster not in self._fake._world.clusters:
                raise TransientError(f"{name}: no answer")
            return method(*arguments, **named)

        def call(*arguments: Any, **named: Any) -> Any:
            key = arguments if cache and all(isinstance(item, str | None) for item in arguments) else None
            if cache and key is not None:
                known = cache.known(name, key, process.scheduler.now)
                if known is not None:
                    process.on_cached(name, key, known)
                    return known
            began_at = process.scheduler.now
            result = process.call(name, arguments, lambda: effect(*arguments, **named))
            if cache and key is not None:
                cache.keep(name, key, began_at, result)
            return Port(process, "cluster", result, cluster=arguments[0].name) if name == "clusters.login" else result

        return call
