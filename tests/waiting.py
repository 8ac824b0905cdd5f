"""Waits for a condition that other processes cause, on a machine that may be busy."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], good: Callable[[T], object] = bool, within_s: float = 120.0, every_s: float = 0.05) -> T:
    """Poll until the value satisfies the condition (truth by default), and return it; fail with the last value."""
    give_up = time.monotonic() + within_s
    while not good(seen := look()):
        assert time.monotonic() < give_up, f"after {within_s:.0f} s still: {seen}"
        time.sleep(every_s)
    return seen
