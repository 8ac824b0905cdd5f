"""Every scenario on the small EKS: the real asset in the Lambda emulator, real patterns, TLS, tokens and RBAC."""

import pytest

from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import load, names
from sandbox.simulation.scenario_run import ScenarioRun
from tests.sandbox.expectations import PATIENCE_S, came_to_its_end

pytestmark = pytest.mark.sandbox

PLAYED = [name for name in names() if load(name).runs_on("embedded")]


@pytest.mark.parametrize("name", PLAYED)
def test_the_scenario_comes_to_its_end(name: str) -> None:
    scenario = load(name)
    with SandboxEnvironment(scenario.world, skip_time=scenario.skip_waits, preloaded=True) as env:
        came_to_its_end(scenario, env, ScenarioRun(scenario, env, timeout_s=PATIENCE_S).run())
