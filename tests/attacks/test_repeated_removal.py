"""Have the CNI restarted again and again, by removing or replacing the annotation after each repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.attacks.threat import Threat
from tests.over_fakes import events
from tests.over_fakes.scenario_run import ScenarioRun
from tests.over_fakes.scenario_world import BOUND_ROLE, world_of
from tests.unit.workflow.workflow_run import KEY, OTHER, set_annotation

if TYPE_CHECKING:
    from collections.abc import Callable

from sandbox.simulation.scenario import World

THREAT = Threat(
    name="repeated removal",
    actor="user of a cluster",
    controls="the ServiceAccount's annotation",
    attempt="restart the CNI of a cluster endlessly by removing the annotation after each repair",
    prevention="cool-down, repairs per hour, and after the third repair within a day a person decides (`flapping`)",
    proof=("test_removals_in_a_loop_cause_at_most_three_repairs_in_a_day", "test_the_writer_gets_no_other_role"),
    residual="three restarts in a day, each within `maxUnavailable`",
)
DAY_S, EVERY_S, MOST = 24 * 3600, 1800, 3


def _attacked(role: str | None) -> ScenarioRun:
    run = ScenarioRun(world_of(World(nodes=3, annotation=None)))
    for _ in range(DAY_S // EVERY_S - 1):
        set_annotation(role)(run)
        run.deliver(events.check_requested(run.world.now))
        run.world.sleep(EVERY_S)
    return run


ROLES: dict[str, Callable[[], ScenarioRun]] = {"removed": lambda: _attacked(None), "another role": lambda: _attacked(OTHER)}


@pytest.mark.parametrize("attack", ROLES.values(), ids=ROLES)
def test_removals_in_a_loop_cause_at_most_three_repairs_in_a_day(attack: Callable[[], ScenarioRun]) -> None:
    writes = [write.split()[0] for write in attack().world.writes]
    assert 0 < writes.count("annotate") <= MOST
    assert writes.count("restart") <= MOST


def test_the_writer_gets_no_other_role() -> None:
    run = _attacked(OTHER)
    roles = {write.split()[-1] for write in run.world.writes if write.startswith("annotate")}
    assert roles == {BOUND_ROLE}
    assert run.world.cluster.annotations["/".join(KEY)] in (BOUND_ROLE, OTHER)
