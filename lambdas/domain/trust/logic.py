"""Three-valued logic: unknown stays unknown unless it cannot change the result."""

from collections.abc import Iterable
from typing import TypeAlias

Truth: TypeAlias = bool | None
"""None means not known."""


def all_of(truths: Iterable[Truth]) -> Truth:
    """False if one is False, else unknown if one is unknown, else True (also for no values)."""
    distinct = set(truths)
    return False if False in distinct else None if None in distinct else True


def any_of(truths: Iterable[Truth]) -> Truth:
    """True if one is True, else unknown if one is unknown, else False (also for no values)."""
    distinct = set(truths)
    return True if True in distinct else None if None in distinct else False


def negated(truth: Truth) -> Truth:
    """The opposite; unknown stays unknown."""
    return None if truth is None else not truth
