"""Small event storms: every signal is processed, one repair each, few checks of a healthy cluster."""

import pytest

from tests.chaos import event_storms
from tests.chaos.fleet import checked, storm, town, unanswered
from tests.chaos.round_result import RoundResult


def held(round_result: RoundResult) -> None:
    assert round_result.good, round_result


def test_hundreds_of_events_for_one_fault_make_one_repair() -> None:
    round_result = event_storms.one_fault(600)
    held(round_result)
    assert round_result.messages == 2


def test_each_of_many_clusters_gets_one_repair() -> None:
    round_result = event_storms.many_clusters(20, 10)
    held(round_result)
    assert round_result.messages == 40


@pytest.mark.parametrize("delay_s", [(0.0,), (0.0, 4.0, 0.5, 30.0)], ids=["at once", "late and out of order"])
def test_a_storm_of_one_minute_causes_few_checks_of_a_healthy_cluster(delay_s: tuple[float, ...]) -> None:
    """The check that holds the lease reads every four seconds, and a read follows each event."""
    there, arrivals = town(broken=False), storm(1200, 60.0, delay_s)
    checked(arrivals, there, environments=10)
    lost, waited = unanswered(arrivals, there)
    assert there.checks <= 20 + max(delay_s) / 4
    assert lost == 0
    assert waited <= 5.0
    assert (there.world.writes, there.notifier.sent) == ([], [])


def test_a_storm_of_one_second_causes_few_checks() -> None:
    there, arrivals = town(broken=False), storm(500, 1.0)
    checked(arrivals, there, environments=10)
    assert there.checks <= 4
    assert unanswered(arrivals, there)[0] == 0


def test_an_earlier_check_answers_an_event_that_is_delivered_late() -> None:
    there = town(broken=False)
    checked(storm(200, 1.0, delay_s=[30.0 * (n > 0) + n / 100 for n in range(200)]), there, environments=4)
    assert there.checks <= 6


def test_a_fault_is_found_with_wrong_clocks() -> None:
    held(event_storms.skewed(300))


@pytest.mark.sandbox
def test_the_conditions_of_the_real_table_hold_between_threads() -> None:
    held(event_storms.real_table(60, threads=4))
