"""The function is killed at critical points in the sandbox: the repair continues, restarts once, and sends each message once."""

import pytest

from tests.chaos.sandbox_runs import Phase, killing, ran

pytestmark = pytest.mark.sandbox

WRITES = ("annotate-service-account", "replace-canary-pod", "restart-workload", "update-addon-role", "close")


def at_writes(name: str, action: str) -> bool:
    return action == "SUCCEED" and name.endswith(WRITES)


def test_a_kill_after_each_write_and_before_its_checkpoint() -> None:
    ran("annotation-missing", killing(Phase.NOT_REMEMBERED, at_writes)).kept_the_promises(faults=4)


@pytest.mark.long
@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("scenario", ["addon-role-missing", "annotation-missing", "annotation-differs"])
def test_a_kill_at_every_checkpoint(scenario: str, phase: Phase) -> None:
    ran(scenario, killing(phase)).kept_the_promises(faults=15)


@pytest.mark.long
def test_a_kill_during_a_notification_repeats_only_the_notification() -> None:
    """Sending a message and recording it is not atomic; after a kill in between, a second message is better than none."""
    found = ran(
        "annotation-missing",
        killing(Phase.NOT_REMEMBERED, lambda name, action: " notify " in name and action == "START", during_notifications=True),
    )
    assert found.faults == 2
    assert found.converged, found
    assert (found.extra_restarts, found.lost) == (0, 0)
    assert len(set(found.titles)) == 2
