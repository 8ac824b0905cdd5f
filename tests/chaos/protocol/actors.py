"""The actors: a delivery at the checker, a durable execution and a person. Each is a value that determines its next call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

from tests.chaos.protocol import programs
from tests.chaos.protocol.replay import Call, Known, known, until_next_call

if TYPE_CHECKING:
    from lambdas.domain.requests.request import Trigger

LAMBDA_ATTEMPTS: Final = 3
"""A failed asynchronous invocation is retried twice.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""


@dataclass(frozen=True)
class Checker:
    """One event on its way through the checker."""

    event: int
    occurred: float
    trigger: Trigger
    attempt: int = 1
    results: tuple[Known, ...] = ()

    def call(self) -> Call | None:
        return _checker_call(self)

    def after(self, _call: Call, result: object) -> Checker:
        return replace(self, results=(*self.results, known(result)))

    def crashed(self) -> Checker | None:
        """Lambda delivers the event again."""
        return replace(self, attempt=self.attempt + 1, results=()) if self.attempt < LAMBDA_ATTEMPTS else None


@dataclass(frozen=True)
class Execution:
    """One durable execution."""

    incident: str
    number: int
    hands_over: bool = False
    journal: tuple[str, ...] = ()
    results: tuple[Known, ...] = ()

    def call(self) -> Call | None:
        return _execution_call(self.incident, self.hands_over, self.journal, self.results)

    def after(self, call: Call, result: object) -> Execution:
        if call.what == "checkpoint":
            return replace(self, journal=(*self.journal, call.arguments[1]), results=())
        return replace(self, results=(*self.results, known(result)))

    def crashed(self) -> Execution | None:
        """The service invokes the function again; steps without a checkpoint run again."""
        return replace(self, results=())


@dataclass(frozen=True)
class Person:
    """A run of the command line."""

    results: tuple[Known, ...] = ()

    def call(self) -> Call | None:
        return _person_call(self.results)

    def after(self, _call: Call, result: object) -> Person:
        return replace(self, results=(*self.results, known(result)))

    def crashed(self) -> Person | None:
        return None


Actor = Checker | Execution | Person


@cache
def _checker_call(it: Checker) -> Call | None:
    return until_next_call(
        lambda script: programs.checker(script, event=it.event, occurred=it.occurred, trigger=it.trigger, attempt=it.attempt), it.results
    )


@cache
def _execution_call(incident: str, hands_over: bool, journal: tuple[str, ...], results: tuple[Known, ...]) -> Call | None:
    return until_next_call(lambda script: programs.execution(script, incident=incident, journal=journal, hands_over=hands_over), results)


@cache
def _person_call(results: tuple[Known, ...]) -> Call | None:
    return until_next_call(programs.person, results)


def forget() -> None:
    """Clear the cached calls, because the code was changed."""
    for remembered in (_checker_call, _execution_call, _person_call):
        remembered.cache_clear()


def name(actor: Actor) -> str:
    """A name for messages."""
    match actor:
        case Checker():
            return f"checker of event {actor.event}, delivery {actor.attempt}"
        case Execution():
            return f"execution {actor.incident}/{actor.number}"
        case Person():
            return "the person"
