"""Scenarios on a real control plane."""

from collections.abc import Iterator

import pytest

from sandbox.control_plane.control_plane import ControlPlane
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import load, names
from sandbox.simulation.scenario_run import ScenarioRun
from tests.sandbox.expectations import TIMEOUT_S, assert_expected_result

PLAYED = [name for name in names() if load(name).runs_on("real")]


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane of the whole run, with the login and the plug-in of before given back at the end."""
    sts, plugin = control_plane.sts, control_plane.plugin
    yield control_plane
    control_plane.sts = sts
    control_plane.set_plugin_credentials(plugin)


@pytest.mark.parametrize("name", PLAYED)
def test_the_scenario_ends_as_expected(name: str, plane: ControlPlane) -> None:
    scenario = load(name)
    with SandboxEnvironment(scenario.world, cluster="real", control_plane=plane, skip_time=scenario.skip_waits, preloaded=True) as env:
        assert_expected_result(scenario, env, ScenarioRun(scenario, env, timeout_s=TIMEOUT_S).run())
