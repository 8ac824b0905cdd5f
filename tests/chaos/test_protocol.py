"""The incident's protocol, searched exhaustively: one repairer, no signal lost, always an end. And the search finds what is wrong."""

import pytest

from tests.chaos.protocol.explorer import Violated, explore
from tests.chaos.protocol.sown import SOWN
from tests.chaos.protocol.stories import BOUNDED, LONG, Story


@pytest.mark.parametrize("story", BOUNDED.values(), ids=BOUNDED)
def test_every_order_keeps_the_promises(story: Story) -> None:
    found = explore(story)
    assert found.ends > 0
    assert found.states > 40, "a search that sees next to nothing proves nothing"


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("story", LONG.values(), ids=LONG)
def test_every_order_of_longer_stories_keeps_the_promises(story: Story) -> None:
    assert explore(story).ends > 0


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long if item.long else ()) for name, item in SOWN.items()])
def test_a_sown_fault_is_found(name: str) -> None:
    sown = SOWN[name]
    with sown.in_place(), pytest.raises(Violated, match=sown.says):
        explore(sown.story, sown.rules)
