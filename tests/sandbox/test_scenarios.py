"""Every scenario in the sandbox: the real asset in the Lambda emulator, real patterns, TLS, tokens and RBAC."""

import pytest

from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import load, names
from sandbox.simulation.scenario_run import ScenarioRun
from tests.sandbox.expectations import TIMEOUT_S, assert_expected_result

pytestmark = pytest.mark.sandbox

NAMES = [name for name in names() if load(name).runs_on("embedded")]


@pytest.mark.parametrize("name", NAMES)
def test_the_scenario_ends_as_expected(name: str) -> None:
    scenario = load(name)
    with SandboxEnvironment(scenario.world, skip_time=scenario.skip_waits, preloaded=True) as env:
        assert_expected_result(scenario, env, ScenarioRun(scenario, env, timeout_s=TIMEOUT_S).run())
