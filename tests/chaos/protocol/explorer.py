"""Explores every order of the actors' calls, with a crash at every point, as a graph search over shared state and actor states.

The invariants must hold in every state, and every path must end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import floor
from typing import TYPE_CHECKING

from lambdas.domain.errors import TransientError
from lambdas.domain.requests.request import Trigger
from tests.chaos.protocol.actors import Actor, Checker, Execution, Person, name
from tests.chaos.protocol.invariants import MOST_SWEEPS, State, broken_promise
from tests.chaos.protocol.search_cases import PASSES, TICK, SearchCase
from tests.chaos.protocol.shared_state import Rules, Shared

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.protocol.replay import Call


class InvariantViolated(AssertionError):
    """An invariant is violated. The message contains the path."""


@dataclass
class Explored:
    """Counts of states, transitions, kills and end states."""

    states: int = 0
    transitions: int = 0
    kills: int = 0
    ends: int = 0
    came_from: dict[State, tuple[State, str] | None] = field(default_factory=dict)


def explore(search_case: SearchCase, rules: Rules | None = None, most_states: int = 2_000_000) -> Explored:
    """Visit every reachable state.

    Raises:
        Violated: a promise does not hold, or there are more states than `most_states`.
    """
    rules = rules or Rules()
    first = State(
        Shared(hands_over=search_case.hands_over), (), search_case.nature, search_case.crashes, search_case.deaths, search_case.outages
    )
    found = Explored(came_from={first: None})
    stack = [first]
    while stack:
        state = stack.pop()
        found.states += 1
        followers = list(_followers(state, rules))
        hurt = (state.crashes, state.deaths, state.outages) != (search_case.crashes, search_case.deaths, search_case.outages)
        if trouble := broken_promise(state, at_rest=not followers, hurt=hurt):
            raise InvariantViolated(f"{trouble}\n" + "\n".join(_path(state, found)))
        followers = followers or _swept(state)
        found.ends += not followers
        for label, after in followers:
            found.transitions += 1
            found.kills += after.crashes + after.deaths < state.crashes + state.deaths
            if after not in found.came_from:
                found.came_from[after] = (state, label)
                stack.append(after)
        if found.states > most_states:
            raise InvariantViolated(f"no end after {found.states} states")
    return found


# --- what can happen next ----------------------------------------------------------------------------------------------------------------


def _followers(state: State, rules: Rules) -> Iterator[tuple[str, State]]:
    """All successor states. A local call commutes with all others, so only a crash needs to be tried beside it."""
    calls = [(index, actor, call) for index, actor in enumerate(state.actors) if (call := actor.call()) is not None]
    for index, actor, call in calls:
        if call.local:
            yield from _steps(state, index, actor, call, rules)
            return
    for index, actor, call in calls:
        yield from _steps(state, index, actor, call, rules)
    if state.nature:
        yield _natural(state)


def _steps(state: State, index: int, actor: Actor, call: Call, rules: Rules) -> Iterator[tuple[str, State]]:
    who = name(actor)
    if call.what == "fail":
        yield f"{who} fails, and is delivered again", _without(state, index, actor)
        return
    result, shared = _answered(call, state.shared, rules)
    moved = _with(state.actors, index, actor.after(call, result))
    yield f"{who}: {_said(call, result)}", _ended(_begun(state, replace(state, shared=shared, actors=moved)))
    if state.sweeps == MOST_SWEEPS:  # whoever dies in the last one is the next one's to mend
        return
    if state.outages and call.what == "observe":
        failed = actor.after(call, TransientError("no answer"))
        yield f"{who} gets no answer", replace(state, actors=_with(state.actors, index, failed), outages=state.outages - 1)
    if state.crashes:
        yield f"{who} is killed before {call.what}", replace(_without(state, index, actor), crashes=state.crashes - 1)
    if state.deaths and isinstance(actor, Execution):
        yield f"{who} ends before {call.what}", _over(replace(state, deaths=state.deaths - 1), actor, "FAILED")


def _without(state: State, index: int, actor: Actor) -> State:
    """The process has crashed; the actor may start again."""
    crashed = actor.crashed()
    return replace(state, actors=_with(state.actors, index, crashed) if crashed else (*state.actors[:index], *state.actors[index + 1 :]))


def _begun(before: State, state: State) -> State:
    """With the executions and checks that the last call began. A requested check represents signals that are already counted."""
    shared, former = state.shared, before.shared
    begun = [(name, number) for number, (name, _) in enumerate(shared.executions) if number >= len(former.executions)]
    executions = [Execution(name, number, shared.hands_over) for name, number in begun]
    requested = [
        Checker(state.events + number, occurred, Trigger.API_CALL)
        for number, occurred in enumerate(shared.requested[len(former.requested) :])
    ]
    return replace(state, actors=(*state.actors, *executions, *requested), events=state.events + len(requested))


def _answered(call: Call, shared: Shared, rules: Rules) -> tuple[object, Shared]:
    return (None, shared) if call.what == "checkpoint" else rules.answer(call, shared)


def _ended(state: State) -> State:
    """Remove finished actors; their durable executions have ended."""
    for actor in state.actors:
        if actor.call() is None:
            state = _over(state, actor, "SUCCEEDED")
    return state


def _over(state: State, actor: Actor, status: str) -> State:
    shared = state.shared
    if isinstance(actor, Execution):
        executions = tuple((name, status if n == actor.number else was) for n, (name, was) in enumerate(shared.executions))
        shared = replace(shared, executions=executions)
    return replace(state, shared=shared, actors=tuple(item for item in state.actors if item is not actor))


def _natural(state: State) -> tuple[str, State]:
    what, rest, shared = state.nature[0], state.nature[1:], state.shared
    if what in PASSES:
        return "time passes", replace(state, nature=rest, shared=replace(shared, now=shared.now + PASSES[what]))
    if what in ("hold", "lift"):
        return "repairs are held back" if what == "hold" else "repairs may be made", replace(
            state, nature=rest, shared=replace(shared, held=what == "hold")
        )
    if what == "person":
        return "a person begins", replace(state, nature=rest, actors=(*state.actors, Person()))
    told = Checker(state.events, floor(60 * shared.now) / 60, Trigger.SWEEP if what == "sweep" else Trigger.API_CALL)
    shared = replace(shared, broken=shared.broken or what == "break", unchecked=shared.unchecked | {state.events})
    return f"{what} {state.events}", replace(state, nature=rest, shared=shared, events=state.events + 1, actors=(*state.actors, told))


def _swept(state: State) -> list[tuple[str, State]]:
    """Run a sweep when no actor is active and the state is not healthy."""
    if state.sweeps == MOST_SWEEPS or not (state.shared.incident or state.shared.broken or state.shared.lease_holder):
        return []
    sweep = Checker(state.events, state.shared.now, Trigger.SWEEP)
    shared = replace(state.shared, now=state.shared.now + TICK, unchecked=state.shared.unchecked | {state.events})
    return [("sweep", replace(state, shared=shared, actors=(sweep,), sweeps=state.sweeps + 1, events=state.events + 1))]


# --- output of a path ---


def _with(actors: tuple[Actor, ...], index: int, actor: Actor) -> tuple[Actor, ...]:
    return (*actors[:index], actor, *actors[index + 1 :])


def _said(call: Call, result: object) -> str:
    if call.what == "checkpoint":
        return f"checkpoint of {call.arguments[0]}"
    told = getattr(result, "id", None) or (result if isinstance(result, bool | str | int | tuple) else type(result).__name__)
    return f"{call.what} -> {told}"


def _path(state: State, found: Explored) -> list[str]:
    lines: list[str] = []
    at: State = state
    while (former := found.came_from[at]) is not None:
        at, label = former
        lines.append(label)
    return [f"{number:3}. {line}" for number, line in enumerate(reversed(lines), 1)]
