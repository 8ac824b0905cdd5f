"""Who looks where no incident is open: one check at a time, which looks again for what came meanwhile. Pure.

Whoever finds nobody on duty is on duty from then on, and sees how many signals have come. Its look answers those; it may end only if no
further one has come. So a storm costs a few looks, and every event is followed by one that began after it. Two checks on duty at once
would be one look more and no harm: that is why a clock may say here, and nowhere else, that somebody is gone.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from lambdas.domain.incidents.incident import Answered, Free, Left, NodesSeen, Signal, answered

LASTS: Final = timedelta(seconds=CHECKER_TIMEOUT_S)
"""No check lives longer than its function may run."""
FORGOTTEN_AFTER: Final = timedelta(days=1)
"""How long a row is kept for a cluster that does not exist, of which only an event told."""


def signalled(free: Free, signal: Signal) -> tuple[Free, Answered | Left | Free]:
    """What is remembered after a signal, and what it meets."""
    if answer := answered(free, signal) or (quietly(free, signal) if signal.quiet else None):
        return free, answer
    counted = replace(
        free,
        signals=free.signals + 1,
        asks=free.asks | signal.asks,
        told=signal.told or free.told,
        on_duty=free.on_duty or signal.check,
        on_duty_since=free.on_duty_since or signal.at,
    )
    if gone(counted, signal.at):
        counted = replace(counted, on_duty=signal.check, on_duty_since=signal.at)
    return counted, to_do(counted, signal)


def quietly(free: Free, signal: Signal) -> Answered | Free | None:
    """What a signal meets that nobody waits for, where there is nothing to count it on; None where it is to be treated like any other."""
    return answered(free, signal) or (None if free.on_duty or free.signals else free)


def to_do(counted: Free, signal: Signal) -> Left | Free:
    """Whether a signal that has been counted is to be looked after by whoever brings it."""
    return counted if counted.on_duty == signal.check else Left(counted.on_duty)


def gone(free: Free, now: datetime) -> bool:
    """Whether the check on duty must have ended without a word."""
    return free.on_duty_since is not None and now - free.on_duty_since > LASTS


def finished(now: Free, duty: Free, began_at: datetime, nodes: NodesSeen | None) -> tuple[Free, Free | None]:
    """What is remembered after a look that began then and found all well; and what asks its check to look again, if anything does.

    `now` is the row, `duty` what the check knew of it before it looked. A quiet check is not on duty, and writes only what is still so.
    """
    if not duty.on_duty:
        return well(duty, began_at, nodes) if now == duty else now, None
    if now.on_duty != duty.on_duty:
        return now, None  # an incident was opened, or another took this check for gone: either looks after it
    if now.signals > duty.signals:
        return now, now
    return well(duty, began_at, nodes), None


def well(duty: Free, began_at: datetime, nodes: NodesSeen | None) -> Free:
    """What is remembered then: nobody is on duty, and nothing is waited for."""
    return relieved(duty).after(began_at, nodes)


def relieved(free: Free) -> Free:
    """The same with nobody on duty, and nothing that waits for a look."""
    return replace(free, on_duty="", on_duty_since=None, signals=0, told=None, asks=frozenset())


def let_go(now: Free, duty: Free, forget: datetime | None = None) -> Free:
    """Nobody is on duty, and what waits is the next one's, or nobody's where the row is to be forgotten."""
    if now.on_duty != duty.on_duty:
        return now
    return relieved(now) if forget else replace(now, on_duty="", on_duty_since=None)
