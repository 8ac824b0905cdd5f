"""Assertions on the result of a scenario, for every kind of cluster."""

from sandbox.simulation.assertions import differences
from sandbox.simulation.aws_account import CHECKER, REMEDIATOR
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import Scenario
from sandbox.simulation.scenario_result import ScenarioResult

TIMEOUT_S = 400.0
"""Timeout of a run on a busy machine; a run takes seconds."""


def assert_expected_result(scenario: Scenario, env: SandboxEnvironment, result: ScenarioResult) -> None:
    """The result is as expected, no event is in the dead-letter queue, and no secret was logged."""
    found = differences(scenario.expect, result)
    assert not found, "; ".join(found)
    assert env.backend.failure is None
    assert env.dead_letters.waiting(CHECKER) == []
    _no_secret_in_any_line(env)


def _no_secret_in_any_line(env: SandboxEnvironment) -> None:
    """The logs of the functions contain no token, credential or signature."""
    logged = "\n".join(line for _, line in env.lines)
    for name in (CHECKER, REMEDIATOR):
        owner = env.aws.roles.credentials(name)
        assert owner.secret_access_key not in logged
        assert owner.session_token not in logged
    assert "k8s-aws-v1." not in logged
    assert "X-Amz-Signature" not in logged
