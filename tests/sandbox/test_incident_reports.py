"""Public incident reports in the sandbox: each world once. Reports whose world is that of a scenario run as the scenario."""

from itertools import groupby

import pytest

from sandbox.simulation.assertions import differences
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario_run import ScenarioRun
from tests.incident_reports.report import Report, reports
from tests.sandbox.expectations import TIMEOUT_S, assert_expected_result

pytestmark = pytest.mark.sandbox

IN_SANDBOX = sorted(
    (report for report in reports() if report.runs_in_sandbox and not report.is_a_scenario), key=lambda item: item.world_key
)
WORLDS = [tuple(told) for _, told in groupby(IN_SANDBOX, key=lambda report: report.world_key)]
"""The reports of each world."""


@pytest.mark.parametrize("told", WORLDS, ids=lambda told: told[0].id)
def test_the_reports_end_as_expected(told: tuple[Report, ...]) -> None:
    scenario = told[0].scenario
    with SandboxEnvironment(scenario.world, skip_time=scenario.skip_waits, preloaded=True) as env:
        result = ScenarioRun(scenario, env, timeout_s=TIMEOUT_S).run()
        assert_expected_result(scenario, env, result)
        assert [difference for report in told for difference in differences(report.scenario.expect, result)] == []
