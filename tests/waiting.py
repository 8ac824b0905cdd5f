"""Waiting for what others bring about, on a machine that may be busy."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], good: Callable[[T], object] = bool, within_s: float = 120.0, every_s: float = 0.05) -> T:
    """Look until what is seen is good, true where nothing else is said, and return it; fail with the last thing seen."""
    give_up = time.monotonic() + within_s
    while not good(seen := look()):
        assert time.monotonic() < give_up, f"after {within_s:.0f} s still: {seen}"
        time.sleep(every_s)
    return seen
