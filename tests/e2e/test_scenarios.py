"""Scenarios on a real control plane: one of each course. `make demo SCENARIO=all CLUSTER=real` plays all."""

from collections.abc import Hashable, Iterator
from dataclasses import fields
from typing import Final

import pytest

from sandbox.control_plane.control_plane import ControlPlane
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import Scenario, World, load, names
from sandbox.simulation.scenario_run import ScenarioRun
from tests.sandbox.expectations import TIMEOUT_S, assert_expected_result

SAME_ON_EVERY_CLUSTER: Final = frozenset(
    {
        *("addon", "addon_installed", "addon_role", "addon_version", "binding", "binding_mechanism", "binding_type", "settings"),
        *("role_exists", "role_has_permissions", "role_lacks", "node_role_has_permissions", "node_role_lacks", "refused_call", "trust"),
        *("oidc_client_ids", "oidc_provider", "issuer", "pod_identity", "pod_identity_owner", "pod_identity_trusted"),
        "pod_identity_condition",
        *("kubernetes", "ip_family", "nodes"),
    }
)
"""Facts that the local AWS answers in the same way for the embedded cluster, which plays every scenario; and the size of the cluster."""
STEPS_IN_AWS: Final = frozenset({"add_past_repairs", "delay_cloudtrail", "delete_association", "inject_fault"})
"""Steps that change only the local AWS."""


def course(scenario: Scenario) -> Hashable:
    """What the cluster sees of a scenario: its own facts, the steps, and what is written to it. The event comes from the local AWS."""
    steps = [step for step in scenario.steps if step.name not in STEPS_IN_AWS]
    facts = (getattr(scenario.world, field.name) for field in fields(World) if field.name not in SAME_ON_EVERY_CLUSTER)
    return (scenario.expect.outcome, scenario.expect.actions, *map(repr, facts), repr(steps))


PLAYED: Final = [scenario for scenario in map(load, names()) if scenario.runs_on("real")]
FIRST: Final = {course(scenario): scenario.name for scenario in reversed(PLAYED)}


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane of the whole run, with the login and the plug-in of before given back at the end."""
    sts, plugin = control_plane.sts, control_plane.plugin
    yield control_plane
    control_plane.sts = sts
    control_plane.set_plugin_credentials(plugin)


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(scenario, id=scenario.name, marks=() if FIRST[course(scenario)] == scenario.name else pytest.mark.long)
        for scenario in PLAYED
    ],
)
def test_the_scenario_ends_as_expected(scenario: Scenario, plane: ControlPlane) -> None:
    with SandboxEnvironment(scenario.world, cluster="real", control_plane=plane, skip_time=scenario.skip_waits, preloaded=True) as env:
        assert_expected_result(scenario, env, ScenarioRun(scenario, env, timeout_s=TIMEOUT_S).run())
