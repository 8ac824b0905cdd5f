"""Waiting for a cluster to get somewhere."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], good: Callable[[T], bool], within_s: float = 20, every_s: float = 0.1) -> T:
    """Look until what is seen is good, and return it; fail with the last thing seen."""
    give_up = time.monotonic() + within_s
    while not good(seen := look()):
        assert time.monotonic() < give_up, f"after {within_s:.0f} s still: {seen}"
        time.sleep(every_s)
    return seen
