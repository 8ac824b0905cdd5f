"""The function's process is killed where it hurts, on the real parts: it goes on, restarts nothing twice, and tells each state once."""

import pytest

from tests.chaos.sandbox import Phase, Ran, killing, ran

pytestmark = pytest.mark.sandbox

WRITES = ("AnnotateServiceAccount", "ReplaceOnePod", "RestartWorkload", "UpdateAddonRole", "close")


def at_writes(name: str, action: str) -> bool:
    return action == "SUCCEED" and name.endswith(WRITES)


def holds(found: Ran, at_least: int) -> None:
    assert found.faults >= at_least, "nothing was killed where it should have been"
    assert found.converged, found
    assert found.extra_restarts == 0, found
    assert found.lost == 0, found
    assert len(found.titles) == len(set(found.titles)) == 2, found.titles


def test_killed_after_each_write_before_it_is_remembered() -> None:
    holds(ran("annotation-missing", killing(Phase.NOT_REMEMBERED, at_writes)), at_least=4)


@pytest.mark.long
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("scenario", ["addon-role-missing", "annotation-missing", "annotation-differs"])
def test_killed_at_every_checkpoint(scenario: str, phase: Phase) -> None:
    holds(ran(scenario, killing(phase)), at_least=15)


@pytest.mark.long
def test_killed_while_it_tells_it_may_tell_again_and_does_nothing_else_twice() -> None:
    """Nobody can send a message and note that it was sent at once: in between, a second one is better than none."""
    found = ran(
        "annotation-missing", killing(Phase.NOT_REMEMBERED, lambda name, action: " tell " in name and action == "START", telling=True)
    )
    assert found.faults == 2
    assert found.converged, found
    assert (found.extra_restarts, found.lost) == (0, 0)
    assert len(set(found.titles)) == 2
