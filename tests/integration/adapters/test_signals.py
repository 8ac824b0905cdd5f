"""What a signal meets, and what a sound check answers: over table, fake and memory, as `test_incidents.py`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.domain.incidents.incident import AlreadyAnswered, IdleState, NodesSeen
from tests.integration.adapters.incidents import NOW, SECOND, signalled, sound

if TYPE_CHECKING:
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.ports import IncidentsPort


def test_a_signal_where_nothing_is_known_finds_the_row_free(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    assert signalled(incidents, target, NOW) == IdleState()
    assert incidents.get(target) is None


@pytest.mark.parametrize(
    ("after", "answered"),
    [(timedelta(0), False), (SECOND - timedelta(microseconds=1), False), (SECOND, True), (timedelta(minutes=5), True)],
    ids=["same second", "just within the second", "a second later", "minutes later"],
)
def test_a_sound_check_answers_events_that_had_surely_happened_when_it_began(
    incidents: IncidentsPort, target: ServiceAccountRef, after: timedelta, answered: bool
) -> None:
    sound(incidents, target, NOW + after)
    expected = AlreadyAnswered(NOW + after) if answered else IdleState(known_good_at=NOW + after)
    assert signalled(incidents, target, NOW) == expected


def test_an_earlier_sound_check_does_not_replace_a_later_one(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    sound(incidents, target, NOW)
    sound(incidents, target, NOW - SECOND)
    assert signalled(incidents, target, NOW) == IdleState(known_good_at=NOW)


def test_what_is_said_about_nodes_is_answered_only_by_a_check_that_read_them(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    sound(incidents, target, NOW + SECOND)
    assert signalled(incidents, target, NOW, about_nodes=True) == IdleState(known_good_at=NOW + SECOND)
    sound(incidents, target, NOW + 2 * SECOND, NodesSeen.SETTLED)
    assert signalled(incidents, target, NOW, about_nodes=True) == AlreadyAnswered(NOW + 2 * SECOND)
    sound(incidents, target, NOW + 9 * SECOND)
    assert signalled(incidents, target, NOW + 2 * SECOND, about_nodes=True) == IdleState(
        known_good_at=NOW + 9 * SECOND, nodes_seen_at=NOW + 2 * SECOND
    )


def test_nodes_that_are_starting_are_remembered_until_a_later_check_sees_them_settled(
    incidents: IncidentsPort, target: ServiceAccountRef
) -> None:
    sound(incidents, target, NOW, NodesSeen.STARTING)
    sound(incidents, target, NOW + SECOND)
    assert signalled(incidents, target, NOW + SECOND) == IdleState(known_good_at=NOW + SECOND, nodes_seen_at=NOW, nodes_unsettled=True)
    sound(incidents, target, NOW + 2 * SECOND, NodesSeen.SETTLED)
    later = NOW + 2 * SECOND
    assert signalled(incidents, target, later) == IdleState(known_good_at=later, nodes_seen_at=later)


@pytest.mark.parametrize("nodes", NodesSeen)
def test_what_a_check_saw_of_nodes_is_kept_though_a_later_one_that_read_none_was_quicker(
    incidents: IncidentsPort, target: ServiceAccountRef, nodes: NodesSeen
) -> None:
    sound(incidents, target, NOW + 5 * SECOND)
    sound(incidents, target, NOW, nodes)
    starting = nodes is NodesSeen.STARTING
    expected = IdleState(known_good_at=NOW + 5 * SECOND, nodes_seen_at=NOW, nodes_unsettled=starting)
    assert signalled(incidents, target, NOW + 5 * SECOND) == expected
    sound(incidents, target, NOW - SECOND, NodesSeen.SETTLED)
    assert signalled(incidents, target, NOW + 5 * SECOND) == expected


def test_times_keep_their_order_whatever_zone_and_fraction_they_are_told_in(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    sound(incidents, target, NOW.replace(microsecond=5))
    sound(incidents, target, NOW)
    assert signalled(incidents, target, NOW) == IdleState(known_good_at=NOW.replace(microsecond=5))
