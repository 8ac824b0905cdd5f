"""Garbage collection in a function: off during the first event, and afterwards without the objects that the start loaded."""

from __future__ import annotations

import gc
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def without_gc_at_start(handle: Callable[P, R]) -> Callable[P, R]:
    """Disable garbage collection for the first event, and exclude its objects from later collections.

    Modules, clients and service models are some hundred thousand objects that live as long as the process. Their collection took a tenth
    of the CPU time of a cold start and a seventh of a warm check. Cyclic garbage of the first event is never freed; it is small.

    Source: https://docs.python.org/3/library/gc.html#gc.freeze
    """
    started = False

    @wraps(handle)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal started
        if started:
            return handle(*args, **kwargs)
        gc.disable()
        try:
            return handle(*args, **kwargs)
        finally:
            started = True
            gc.freeze()
            gc.enable()

    return wrapper
