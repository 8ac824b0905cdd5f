"""The incident's protocol, searched exhaustively: one repairer, no signal lost, always an end. And the search finds what is wrong."""

import pytest

from tests.chaos.protocol.explorer import Story, Violated, explore
from tests.chaos.protocol.sown import SOWN

BOUNDED = {
    "one fault": Story(("break",), crashes=2, deaths=1),
    "a fault and an event of nothing": Story(("break", "event")),
    "two faults": Story(("break", "break")),
    "a fault after a sound check": Story(("event", "moment", "break")),
    "a fault while a check looks, which may fail": Story(("event", "break"), outages=1),
    "a fault while a sweep looks": Story(("sweep", "break"), deaths=1),
    "a person beside the remediator": Story(("break", "person"), crashes=1, deaths=1),
    "a person takes over what is only watched": Story(("hold", "break", "person", "lift")),
    "a signal while an incident is given up": Story(("hold", "break", "event")),
}

LONG = {
    "a check that stays too long hands over": Story(("event", "event", "while", "break")),
    "a fault while a check looks, which may fail or be killed": Story(("event", "break"), crashes=1, outages=1),
    "a fault while a check has died": Story(("event", "tick", "break"), crashes=1),
    "signals while a check has died": Story(("event", "event", "tick", "break")),
    "a check that fails and dies": Story(("event", "tick", "break"), crashes=1, outages=1),
    "two faults, killed anywhere, dead once": Story(("break", "break"), crashes=1, deaths=1),
    "three faults": Story(("break", "break", "break")),
    "a fault after a sound check, killed twice": Story(("event", "tick", "break"), crashes=2),
    "a person takes over, killed anywhere": Story(("hold", "break", "person", "lift"), crashes=1, deaths=1),
    "a person, a sweep and a fault": Story(("hold", "break", "sweep", "person", "lift")),
    "given up while signals come, killed anywhere": Story(("hold", "break", "event"), crashes=1, deaths=1),
}


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


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.long if it.long else ()) for name, it in SOWN.items()])
def test_a_sown_fault_is_found(name: str) -> None:
    sown = SOWN[name]
    with sown.in_place(), pytest.raises(Violated, match=sown.says):
        explore(sown.story, sown.rules)
