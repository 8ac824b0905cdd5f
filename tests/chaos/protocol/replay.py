"""Runs a part of the product until its next external call, from the results of its earlier calls.

The code between two calls depends only on their results. So it is interleaved without threads: it runs again from its start
with the results so far, and stops at the first call whose result is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Known:
    """A value that is equal to another by its text, so that values with mappings in them can be keys."""

    text: str
    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Known) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def known(value: Any) -> Known:
    """The value with its text."""
    return Known(repr(value), value)


@dataclass(frozen=True)
class Call:
    """One external call. `local` calls change nothing that other actors see."""

    what: str
    arguments: tuple[Any, ...] = ()
    local: bool = False


class Paused(BaseException):
    """The code waits for the result of a call. Not an Exception, so that no handler catches it."""

    def __init__(self, call: Call) -> None:
        super().__init__(call.what)
        self.call = call


@dataclass
class Script:
    """The results so far, handed out in order; the call after the last one pauses the code."""

    results: tuple[Known, ...]
    position: int = 0

    def ask(self, what: str, *arguments: Any, local: bool = False) -> Any:
        if self.position == len(self.results):
            raise Paused(Call(what, arguments, local))
        self.position += 1
        value = self.results[self.position - 1].value
        if isinstance(value, Exception):
            raise value
        return value


def until_next_call(program: Callable[[Script], Any], results: tuple[Known, ...]) -> Call | None:
    """The call that the program makes after these results; None where it ends."""
    try:
        program(Script(results))
    except Paused as paused:
        return paused.call
    return None
