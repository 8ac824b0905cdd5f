"""Three-valued logic: unknown stays unknown unless it cannot change the result."""

from collections.abc import Iterable
from typing import TypeAlias

Truth: TypeAlias = bool | None
"""None means not known."""


def all_of(truths: Iterable[Truth]) -> Truth:
    """False if one is False, else unknown if one is unknown, else True (also for no values)."""
    snapshot = set(truths)
    return False if False in snapshot else None if None in snapshot else True


def any_of(truths: Iterable[Truth]) -> Truth:
    """True if one is True, else unknown if one is unknown, else False (also for no values)."""
    snapshot = set(truths)
    return True if True in snapshot else None if None in snapshot else False


def negated(truth: Truth) -> Truth:
    """The opposite; unknown stays unknown."""
    return None if truth is None else not truth
