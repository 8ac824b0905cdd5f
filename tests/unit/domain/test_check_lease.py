"""The check lease: which signals are counted, who checks, and what is left when a check ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.domain.incidents.check_lease import LEASE_DURATION, finish_check, record_signal, release_check
from lambdas.domain.incidents.incident import CLOCK_SKEW, AlreadyAnswered, Deferred, IdleState, NodesState, Signal
from tests.world import NOON

SECOND = timedelta(seconds=1)
REST = IdleState(
    known_good_at=NOON - timedelta(hours=1), nodes_seen_at=NOON - timedelta(hours=2), gone_notified_at=NOON - timedelta(days=1)
)
HELD = replace(
    REST,
    lease_holder="first",
    lease_since=NOON,
    signals=2,
    request={"actor": "dana"},
    refusal={"call": "ec2:CreateTags"},
    requirements=frozenset({"nodes"}),
)


def signal(**changes: Any) -> Signal:
    """A signal that arrives a second after noon."""
    return Signal(**{"occurred_at": NOON, "check": "second", "at": NOON + SECOND, **changes})


COUNTED = replace(HELD, signals=3)
TAKEN = replace(COUNTED, lease_holder="second")
SIGNALS = {
    "no check runs": (REST, signal(), replace(REST, signals=1, lease_holder="second", lease_since=NOON + SECOND), None),
    "a check runs": (HELD, signal(), COUNTED, Deferred("first")),
    "the same check": (HELD, signal(check="first"), COUNTED, None),
    "more is required": (
        HELD,
        signal(requirements=frozenset({"uncached"})),
        replace(COUNTED, requirements=frozenset({"nodes", "uncached"})),
        Deferred("first"),
    ),
    "a later actor": (HELD, signal(request={"actor": "eli"}), replace(COUNTED, request={"actor": "eli"}), Deferred("first")),
    "a later refusal": (HELD, signal(refusal={"call": "sts:X"}), replace(COUNTED, refusal={"call": "sts:X"}), Deferred("first")),
    "the lease has a second left": (HELD, signal(at=NOON + LEASE_DURATION), COUNTED, Deferred("first")),
    "the lease has expired": (
        HELD,
        signal(at=NOON + LEASE_DURATION + SECOND),
        replace(TAKEN, lease_since=NOON + LEASE_DURATION + SECOND),
        None,
    ),
    "the lease is from the future": (
        HELD,
        signal(at=NOON - CLOCK_SKEW - SECOND),
        replace(TAKEN, lease_since=NOON - CLOCK_SKEW - SECOND),
        None,
    ),
    "it was answered": (
        replace(HELD, known_good_at=NOON + 2 * SECOND),
        signal(),
        replace(HELD, known_good_at=NOON + 2 * SECOND),
        AlreadyAnswered(NOON + 2 * SECOND),
    ),
    "quiet, and nothing waits": (REST, signal(quiet=True), REST, None),
    "quiet, and a check runs": (HELD, signal(quiet=True), COUNTED, Deferred("first")),
    "quiet, and signals wait": (
        replace(REST, signals=1),
        signal(quiet=True),
        replace(REST, signals=2, lease_holder="second", lease_since=NOON + SECOND),
        None,
    ),
}


@pytest.mark.parametrize(("before", "sent", "after", "result"), SIGNALS.values(), ids=SIGNALS)
def test_a_signal_is_counted_and_one_check_answers_it(before: IdleState, sent: Signal, after: IdleState, result: Any) -> None:
    """Without another result, the sender checks with the state after its signal."""
    assert record_signal(before, sent) == (after, after if result is None else result)


HEALTHY = IdleState(known_good_at=NOON, nodes_seen_at=NOON, nodes_unsettled=True)
"""What is left after a healthy check that read nodes which are starting."""
ENDS = {
    "nothing came meanwhile": (HELD, HELD, HEALTHY, None),
    "a signal came meanwhile": (COUNTED, HELD, COUNTED, COUNTED),
    "another check took over": (TAKEN, HELD, TAKEN, None),
    "the lease was released": (REST, HELD, REST, None),
    "quiet, and nothing came meanwhile": (REST, REST, HEALTHY, None),
    "quiet, and a check runs": (HELD, REST, HELD, None),
}


@pytest.mark.parametrize(("now", "state", "after", "again"), ENDS.values(), ids=ENDS)
def test_a_healthy_check_ends_unless_a_signal_came_meanwhile(now: IdleState, state: IdleState, after: IdleState, again: Any) -> None:
    assert finish_check(now, state, NOON, NodesState.STARTING) == (after, again)


RELEASED = replace(COUNTED, lease_holder="", lease_since=None)
RELEASES = {
    "signals wait for the next check": (COUNTED, HELD, None, RELEASED),
    "the row is forgotten": (COUNTED, HELD, NOON, REST),
    "another check holds the lease": (TAKEN, HELD, NOON, TAKEN),
}


@pytest.mark.parametrize(("now", "state", "forget", "after"), RELEASES.values(), ids=RELEASES)
def test_a_lease_is_released_by_its_holder_only(now: IdleState, state: IdleState, forget: Any, after: IdleState) -> None:
    assert release_check(now, state, forget) == after
