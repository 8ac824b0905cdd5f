"""The check lease: it coalesces signals while no incident is open. Pure.

The first signal takes the lease and starts a check. Later signals are counted. The check repeats until no signal has arrived since it
began, so a burst of events costs a few checks, and every event is followed by a check that began after it. Two checks at once would only
cost one check more. Therefore a lease, unlike an incident, may expire by the clock.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from lambdas.domain.incidents.incident import AlreadyAnswered, Deferred, IdleState, NodesState, Signal, find_answer, is_in_future

LEASE_DURATION: Final = timedelta(seconds=CHECKER_TIMEOUT_S)
"""Maximum duration of a lease: the time-out of the checker function."""
IDLE_STATE_RETENTION: Final = timedelta(days=1)
"""Retention of the row of a cluster that does not exist and was only named by an event."""


def record_signal(idle: IdleState, signal: Signal) -> tuple[IdleState, AlreadyAnswered | Deferred | IdleState]:
    """The state after a signal, and the result for the signal's sender."""
    if answer := find_answer(idle, signal) or (answer_to_quiet_signal(idle, signal) if signal.quiet else None):
        return idle, answer
    counted = replace(
        idle,
        signals=idle.signals + 1,
        requirements=idle.requirements | signal.requirements,
        request=signal.request or idle.request,
        refusal=signal.refusal or idle.refusal,
        lease_holder=idle.lease_holder or signal.check,
        lease_since=idle.lease_since or signal.at,
    )
    if is_lease_expired(counted, signal.at):
        counted = replace(counted, lease_holder=signal.check, lease_since=signal.at)
    return counted, result_of_signal(counted, signal)


def answer_to_quiet_signal(idle: IdleState, signal: Signal) -> AlreadyAnswered | IdleState | None:
    """The result of a signal that needs no answer and no count; None where it must be treated like any other signal."""
    return find_answer(idle, signal) or (None if idle.lease_holder or idle.signals else idle)


def result_of_signal(counted: IdleState, signal: Signal) -> Deferred | IdleState:
    """The state where the sender of the signal holds the lease, else `Deferred` with the holder."""
    return counted if counted.lease_holder == signal.check else Deferred(counted.lease_holder)


def is_lease_expired(idle: IdleState, now: datetime) -> bool:
    """Whether the check that holds the lease must have ended without releasing it."""
    since = idle.lease_since
    return since is not None and (now - since > LEASE_DURATION or is_in_future(since, now))


def finish_check(now: IdleState, state: IdleState, began_at: datetime, nodes: NodesState | None) -> tuple[IdleState, IdleState | None]:
    """The state after a check found a healthy chain, and the state that requires another check, if any.

    `now` is the stored row, `state` the row as it was before the check began. A quiet check holds no lease and changes an unchanged
    row only.
    """
    if not state.lease_holder:
        return after_healthy_check(state, began_at, nodes) if now == state else now, None
    if now.lease_holder != state.lease_holder:
        return now, None  # an incident was opened, or another check took over the expired lease: either one continues
    if now.signals > state.signals:
        return now, now
    return after_healthy_check(state, began_at, nodes), None


def after_healthy_check(state: IdleState, began_at: datetime, nodes: NodesState | None) -> IdleState:
    """The state after a healthy check: no lease, no waiting signals."""
    return without_lease(state).after(began_at, nodes)


def without_lease(idle: IdleState) -> IdleState:
    """The same state without a lease and without waiting signals."""
    return replace(idle, lease_holder="", lease_since=None, signals=0, request=None, refusal=None, requirements=frozenset())


def release_check(now: IdleState, state: IdleState, forget: datetime | None = None) -> IdleState:
    """The state after the lease is released without an answer. Waiting signals stay for the next check, unless the row is forgotten."""
    if now.lease_holder != state.lease_holder:
        return now
    return without_lease(now) if forget else replace(now, lease_holder="", lease_since=None)
