"""Storms, in small: every signal seen, one repair each, few checks where all is well."""

import pytest

from tests.chaos import storms
from tests.chaos.figures import Figures


def held(figures: Figures) -> None:
    assert figures.good, figures


def test_a_thousand_events_for_one_fault_make_one_repair() -> None:
    figures = storms.one_fault(1000)
    held(figures)
    assert figures.messages == 2


def test_each_of_many_clusters_gets_one_repair() -> None:
    figures = storms.many_clusters(20, 10)
    held(figures)
    assert figures.messages == 40


def test_a_healthy_cluster_sees_few_checks() -> None:
    """Events of one second: whoever waited longer than that second is answered by a check that began after it."""
    there = storms.town(broken=False, slow=True)
    storms.checked(storms.storm(1000, 1.0), there, concurrency=10)
    assert there.looks <= 60
    assert not there.world.writes
    assert not there.notifier.sent


def test_an_event_that_is_handed_over_late_is_answered_by_an_earlier_check() -> None:
    there = storms.town(broken=False)
    storms.checked(storms.storm(200, 1.0, delay_s=[30.0 * (n > 0) + n / 100 for n in range(200)]), there, concurrency=4)
    assert there.looks <= 6


def test_wrong_clocks_hide_no_fault() -> None:
    held(storms.skewed(300))


@pytest.mark.sandbox
def test_the_real_tables_conditions_hold_between_threads() -> None:
    held(storms.real_table(100, threads=4))
