"""A storm through the real parts, in small."""

import pytest

from tests.chaos import bus_storm

pytestmark = pytest.mark.sandbox


def test_a_storm_through_the_bus_makes_one_repair() -> None:
    figures = bus_storm.one_fault(60)
    assert figures.good, figures
    assert figures.messages == 2
