"""What a played scenario must have come to, whichever cluster it was played on."""

from sandbox.simulation.assertions import differences
from sandbox.simulation.aws_account import CHECKER, REMEDIATOR
from sandbox.simulation.environment import SandboxEnvironment
from sandbox.simulation.scenario import Scenario
from sandbox.simulation.scenario_result import ScenarioResult

PATIENCE_S = 400.0
"""How long a play may take on a machine that is busy with other things. One takes seconds."""


def came_to_its_end(scenario: Scenario, env: SandboxEnvironment, outcome: ScenarioResult) -> None:
    """Verdict, changes and messages are the expected ones, nothing was given up, and nothing secret was logged."""
    assert differences(scenario.expect, outcome) == []
    assert env.backend.failure is None
    assert env.dead_letters.waiting(CHECKER) == []
    _no_secret_in_any_line(env)


def _no_secret_in_any_line(env: SandboxEnvironment) -> None:
    """No token, credential or signature appears in what the functions log."""
    logged = "\n".join(line for _, line in env.lines)
    for name in (CHECKER, REMEDIATOR):
        owner = env.aws.roles.credentials(name)
        assert owner.secret_access_key not in logged
        assert owner.session_token not in logged
    assert "k8s-aws-v1." not in logged
    assert "X-Amz-Signature" not in logged
