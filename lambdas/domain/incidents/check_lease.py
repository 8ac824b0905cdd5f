"""Who looks where no incident is open: one check at a time, which looks again for what came meanwhile. Pure.

Whoever finds nobody on duty is on duty from then on, and sees how many signals have come. Its look answers those; it may end only if no
further one has come. So a storm costs a few looks, and every event is followed by one that began after it. Two checks on duty at once
would be one look more and no harm: that is why a clock may say here, and nowhere else, that somebody is gone.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from lambdas.domain.incidents.incident import AlreadyAnswered, Deferred, IdleState, NodesState, Signal, find_answer

LEASE_DURATION: Final = timedelta(seconds=CHECKER_TIMEOUT_S)
"""No check lives longer than its function may run."""
IDLE_STATE_RETENTION: Final = timedelta(days=1)
"""How long a row is kept for a cluster that does not exist, of which only an event told."""


def record_signal(free: IdleState, signal: Signal) -> tuple[IdleState, AlreadyAnswered | Deferred | IdleState]:
    """What is remembered after a signal, and what it meets."""
    if answer := find_answer(free, signal) or (answer_to_quiet_signal(free, signal) if signal.quiet else None):
        return free, answer
    counted = replace(
        free,
        signals=free.signals + 1,
        requirements=free.requirements | signal.requirements,
        request=signal.request or free.request,
        lease_holder=free.lease_holder or signal.check,
        lease_since=free.lease_since or signal.at,
    )
    if is_lease_expired(counted, signal.at):
        counted = replace(counted, lease_holder=signal.check, lease_since=signal.at)
    return counted, result_of_signal(counted, signal)


def answer_to_quiet_signal(free: IdleState, signal: Signal) -> AlreadyAnswered | IdleState | None:
    """What a signal meets that nobody waits for, where there is nothing to count it on; None where it is to be treated like any other."""
    return find_answer(free, signal) or (None if free.lease_holder or free.signals else free)


def result_of_signal(counted: IdleState, signal: Signal) -> Deferred | IdleState:
    """Whether a signal that has been counted is to be looked after by whoever brings it."""
    return counted if counted.lease_holder == signal.check else Deferred(counted.lease_holder)


def is_lease_expired(free: IdleState, now: datetime) -> bool:
    """Whether the check on duty must have ended without a word."""
    return free.lease_since is not None and now - free.lease_since > LEASE_DURATION


def finish_check(now: IdleState, duty: IdleState, began_at: datetime, nodes: NodesState | None) -> tuple[IdleState, IdleState | None]:
    """What is remembered after a look that began then and found all well; and what asks its check to look again, if anything does.

    `now` is the row, `duty` what the check knew of it before it looked. A quiet check is not on duty, and writes only what is still so.
    """
    if not duty.lease_holder:
        return after_healthy_check(duty, began_at, nodes) if now == duty else now, None
    if now.lease_holder != duty.lease_holder:
        return now, None  # an incident was opened, or another took this check for gone: either looks after it
    if now.signals > duty.signals:
        return now, now
    return after_healthy_check(duty, began_at, nodes), None


def after_healthy_check(duty: IdleState, began_at: datetime, nodes: NodesState | None) -> IdleState:
    """What is remembered then: nobody is on duty, and nothing is waited for."""
    return without_lease(duty).after(began_at, nodes)


def without_lease(free: IdleState) -> IdleState:
    """The same with nobody on duty, and nothing that waits for a look."""
    return replace(free, lease_holder="", lease_since=None, signals=0, request=None, requirements=frozenset())


def release_check(now: IdleState, duty: IdleState, forget: datetime | None = None) -> IdleState:
    """Nobody is on duty, and what waits is the next one's, or nobody's where the row is to be forgotten."""
    if now.lease_holder != duty.lease_holder:
        return now
    return without_lease(now) if forget else replace(now, lease_holder="", lease_since=None)
