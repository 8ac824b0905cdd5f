"""Random stories over the whole product: seeds that ever failed, a few fresh ones, and the simulation's own mechanics."""

from __future__ import annotations

import pytest

from tests.simulation import sown_faults
from tests.simulation.conftest import FIRST
from tests.simulation.search import play, regression_seeds, replay_command, report, shrink
from tests.simulation.story import Story

FRESH = 2
"""Fresh stories of each test run. They are few: about one in 3,000 still finds something new, and a change must fail for its own faults."""


@pytest.mark.parametrize("seed", regression_seeds())
def test_a_seed_that_once_failed_holds_every_invariant(seed: int) -> None:
    played = play(Story(seed))
    assert not played.violated, report(played)


def test_random_stories_hold_every_invariant() -> None:
    for seed in (0, 1, *range(FIRST, FIRST + FRESH)):
        played = play(Story(seed))
        assert not played.violated, report(shrink(played))


def test_a_seed_gives_the_same_story_and_the_same_log_each_time() -> None:
    one, other = play(Story(7)), play(Story(7))
    assert one.log == other.log
    assert len(one.log) > 10


def test_virtual_time_passes_at_least_a_thousand_times_faster_than_the_clock() -> None:
    played = play(Story(8))
    assert played.virtual_s > 1_000 * played.seconds


@pytest.mark.parametrize("name", sown_faults.QUICKLY_FOUND)
def test_a_sown_fault_is_found_and_its_story_shrinks(name: str) -> None:
    fault = sown_faults.SOWN_FAULTS[name]
    with fault.in_place():
        found = next(played for seed in range(fault.within) if (played := play(Story(seed))).violated)
        shortest = shrink(found)
    assert shortest.kind == found.kind
    assert len(shortest.story.items) <= len(found.story.items)
    assert replay_command(shortest.story) in report(shortest)


def test_without_a_fault_the_same_story_holds() -> None:
    assert not play(Story(0, frozenset())).violated
