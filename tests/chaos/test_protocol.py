"""Exhaustive search of the incident protocol: one repair at a time, no lost signal, always an end. The search finds injected bugs."""

import pytest

from tests.chaos.protocol.explorer import InvariantViolated, explore
from tests.chaos.protocol.injected_bugs import INJECTED_BUGS
from tests.chaos.protocol.search_cases import BOUNDED, LONG, SearchCase


@pytest.mark.parametrize("search_case", BOUNDED.values(), ids=BOUNDED)
def test_every_order_keeps_the_invariants(search_case: SearchCase) -> None:
    found = explore(search_case)
    assert found.ends > 0
    assert found.states > 40, "a search that sees next to nothing proves nothing"


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("search_case", LONG.values(), ids=LONG)
def test_every_order_of_the_long_cases_keeps_the_invariants(search_case: SearchCase) -> None:
    assert explore(search_case).ends > 0


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long if item.long else ()) for name, item in INJECTED_BUGS.items()])
def test_the_search_finds_each_injected_bug(name: str) -> None:
    injected_bug = INJECTED_BUGS[name]
    with injected_bug.in_place(), pytest.raises(InvariantViolated, match=injected_bug.says):
        explore(injected_bug.search_case, injected_bug.rules)
