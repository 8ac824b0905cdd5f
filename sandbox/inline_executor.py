"""An executor that runs each function in the calling thread, so that tests are deterministic and a profiler sees every frame."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable


class InlineExecutor(Executor):
    """Replaces a `ThreadPoolExecutor`."""

    def __init__(self, _max_workers: int = 1) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, do: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(do(*arguments, **keywords))
        except Exception as error:  # noqa: BLE001 - the caller of `result` gets the error
            future.set_exception(error)
        return future
