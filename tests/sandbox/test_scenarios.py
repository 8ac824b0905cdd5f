"""Every scenario on the small EKS: the real asset in the Lambda emulator, real patterns, TLS, tokens and RBAC."""

import pytest

from sandbox.play.play import Play
from sandbox.play.scenario import load, names
from sandbox.play.stage import Stage
from tests.sandbox.expectations import PATIENCE_S, came_to_its_end

pytestmark = pytest.mark.sandbox

PLAYED = [name for name in names() if load(name).plays_on("embedded")]


@pytest.mark.parametrize("name", PLAYED)
def test_the_scenario_comes_to_its_end(name: str) -> None:
    scenario = load(name)
    with Stage(scenario.world, skip_time=scenario.hurry, preloaded=True) as stage:
        came_to_its_end(scenario, stage, Play(scenario, stage, lasts_s=PATIENCE_S).run())
