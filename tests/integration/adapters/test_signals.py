"""Signals, and the healthy checks that answer them, over the DynamoDB table and in memory."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.domain.incidents.incident import AlreadyAnswered, Deferred, IdleState, Incident, NodesState
from tests.integration.adapters.incident_builders import FAR, NOW, SECOND, incident, record_healthy_check, signal, signalled, take_lease

if TYPE_CHECKING:
    from lambdas.contract.parameters import ServiceAccountRef
    from lambdas.domain.ports import IncidentsPort


def test_a_signal_without_a_row_returns_an_idle_state(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    assert signalled(incidents, target, NOW) == IdleState()
    assert incidents.get(target) is None


@pytest.mark.parametrize(
    ("after", "answered"),
    [(timedelta(0), False), (2 * SECOND - timedelta(microseconds=1), False), (2 * SECOND, True), (timedelta(minutes=5), True)],
    ids=["same second", "almost two seconds later", "two seconds later", "minutes later"],
)
def test_a_healthy_check_answers_events_that_surely_happened_before_it_began(
    incidents: IncidentsPort, target: ServiceAccountRef, after: timedelta, answered: bool
) -> None:
    record_healthy_check(incidents, target, NOW + after)
    expected = AlreadyAnswered(NOW + after) if answered else IdleState(known_good_at=NOW + after)
    assert signalled(incidents, target, NOW) == expected


def test_an_earlier_healthy_check_does_not_replace_a_later_one(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    record_healthy_check(incidents, target, NOW)
    record_healthy_check(incidents, target, NOW - SECOND)
    assert signalled(incidents, target, NOW) == IdleState(known_good_at=NOW)


def test_only_a_check_that_read_nodes_answers_a_signal_about_nodes(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    record_healthy_check(incidents, target, NOW + SECOND)
    assert signalled(incidents, target, NOW, is_about_nodes=True) == IdleState(known_good_at=NOW + SECOND)
    record_healthy_check(incidents, target, NOW + 2 * SECOND, NodesState.SETTLED)
    assert signalled(incidents, target, NOW, is_about_nodes=True) == AlreadyAnswered(NOW + 2 * SECOND)
    record_healthy_check(incidents, target, NOW + 9 * SECOND)
    assert signalled(incidents, target, NOW + 2 * SECOND, is_about_nodes=True) == IdleState(
        known_good_at=NOW + 9 * SECOND, nodes_seen_at=NOW + 2 * SECOND
    )


def test_starting_nodes_stay_recorded_until_a_check_finds_them_settled(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    record_healthy_check(incidents, target, NOW, NodesState.STARTING)
    record_healthy_check(incidents, target, NOW + SECOND)
    assert signalled(incidents, target, NOW + SECOND) == IdleState(known_good_at=NOW + SECOND, nodes_seen_at=NOW, nodes_unsettled=True)
    record_healthy_check(incidents, target, NOW + 2 * SECOND, NodesState.SETTLED)
    later = NOW + 2 * SECOND
    assert signalled(incidents, target, later) == IdleState(known_good_at=later, nodes_seen_at=later)


@pytest.mark.parametrize("nodes", NodesState)
def test_the_state_of_nodes_is_kept_if_a_later_check_without_nodes_finishes_first(
    incidents: IncidentsPort, target: ServiceAccountRef, nodes: NodesState
) -> None:
    record_healthy_check(incidents, target, NOW + 5 * SECOND)
    record_healthy_check(incidents, target, NOW, nodes)
    starting = nodes is NodesState.STARTING
    expected = IdleState(known_good_at=NOW + 5 * SECOND, nodes_seen_at=NOW, nodes_unsettled=starting)
    assert signalled(incidents, target, NOW + 5 * SECOND) == expected
    record_healthy_check(incidents, target, NOW - SECOND, NodesState.SETTLED)
    assert signalled(incidents, target, NOW + 5 * SECOND) == expected


def test_times_with_and_without_microseconds_keep_their_order(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    record_healthy_check(incidents, target, NOW.replace(microsecond=5))
    record_healthy_check(incidents, target, NOW)
    assert signalled(incidents, target, NOW) == IdleState(known_good_at=NOW.replace(microsecond=5))


def test_the_latest_refused_call_reaches_the_open_incident(incidents: IncidentsPort, target: ServiceAccountRef) -> None:
    first, second = {"call": "ec2:CreateTags"}, {"call": "ec2:DescribeSubnets"}
    take_lease(incidents, target)
    assert isinstance(incidents.signal(target, signal(FAR, "b", refusal=first)), Deferred)
    opened = incidents.claim(incident(target))
    assert opened.refusal == first, "the check that opened the incident may not have seen it"
    counted = incidents.signal(target, signal(FAR, "c", refusal=second))
    assert isinstance(counted, Incident)
    assert counted.refusal == second
    incidents.signal(target, signal(FAR, "d"))
    found = incidents.get(target)
    assert found
    assert (found.refusal, found.signals) == (second, counted.signals + 1)
