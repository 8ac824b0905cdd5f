"""Storms, in small: every signal seen, one repair each, few checks where all is well."""

import pytest

from tests.chaos import storms
from tests.chaos.figures import Figures
from tests.chaos.towns import checked, storm, town, unanswered


def held(figures: Figures) -> None:
    assert figures.good, figures


def test_hundreds_of_events_for_one_fault_make_one_repair() -> None:
    figures = storms.one_fault(600)
    held(figures)
    assert figures.messages == 2


def test_each_of_many_clusters_gets_one_repair() -> None:
    figures = storms.many_clusters(20, 10)
    held(figures)
    assert figures.messages == 40


@pytest.mark.parametrize("delay_s", [(0.0,), (0.0, 4.0, 0.5, 30.0)], ids=["at once", "late and out of order"])
def test_a_minute_of_storm_costs_a_healthy_cluster_a_handful_of_checks(delay_s: tuple[float, ...]) -> None:
    """A look every four seconds, by whichever check is on duty, and each event is followed by one that began after it."""
    there, arrivals = town(broken=False), storm(1200, 60.0, delay_s)
    checked(arrivals, there, environments=10)
    lost, waited = unanswered(arrivals, there)
    assert there.looks <= 20 + max(delay_s) / 4
    assert lost == 0
    assert waited <= 5.0
    assert (there.world.writes, there.notifier.sent) == ([], [])


def test_a_second_of_storm_costs_a_few() -> None:
    there, arrivals = town(broken=False), storm(500, 1.0)
    checked(arrivals, there, environments=10)
    assert there.looks <= 4
    assert unanswered(arrivals, there)[0] == 0


def test_an_event_that_is_handed_over_late_is_answered_by_an_earlier_check() -> None:
    there = town(broken=False)
    checked(storm(200, 1.0, delay_s=[30.0 * (n > 0) + n / 100 for n in range(200)]), there, environments=4)
    assert there.looks <= 6


def test_wrong_clocks_hide_no_fault() -> None:
    held(storms.skewed(300))


@pytest.mark.sandbox
def test_the_real_tables_conditions_hold_between_threads() -> None:
    held(storms.real_table(60, threads=4))
