"""A small event storm through the sandbox."""

import pytest

from tests.chaos import bus_storm

pytestmark = pytest.mark.sandbox


def test_a_storm_through_the_bus_makes_one_repair() -> None:
    round_result = bus_storm.one_fault(60)
    assert round_result.good, round_result
    assert round_result.messages == 2
