"""Every scenario on the real control plane: real API server, RBAC, tokens, controllers, and the webhook in the API server's path."""

from collections.abc import Iterator

import pytest

from sandbox.control_plane.cluster import ControlPlane
from sandbox.play.play import Play
from sandbox.play.scenario import load, names
from sandbox.play.stage import Stage
from tests.sandbox.expectations import PATIENCE_S, came_to_its_end

PLAYED = [name for name in names() if load(name).plays_on("real")]


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane of the whole run, with the login and the plug-in of before given back at the end."""
    sts, plugin = control_plane.sts, control_plane.plugin
    yield control_plane
    control_plane.sts = sts
    control_plane.let_plugin_work_with(plugin)


@pytest.mark.parametrize("name", PLAYED)
def test_the_scenario_comes_to_its_end(name: str, plane: ControlPlane) -> None:
    scenario = load(name)
    with Stage(scenario.world, cluster="real", control_plane=plane, skip_time=scenario.hurry, preloaded=True) as stage:
        came_to_its_end(scenario, stage, Play(scenario, stage, lasts_s=PATIENCE_S).run())
