"""What a played scenario must have come to, whichever cluster it was played on."""

from sandbox.play.accounts import CHECKER, REMEDIATOR
from sandbox.play.judging import differences
from sandbox.play.outcome import Outcome
from sandbox.play.scenario import Scenario
from sandbox.play.stage import Stage

PATIENCE_S = 400.0
"""How long a play may take on a machine that is busy with other things. One takes seconds."""


def came_to_its_end(scenario: Scenario, stage: Stage, outcome: Outcome) -> None:
    """Verdict, changes and messages are the expected ones, nothing was given up, and nothing secret was logged."""
    assert differences(scenario.expect, outcome) == []
    assert stage.ground.failure is None
    assert stage.dead_letters.waiting(CHECKER) == []
    _no_secret_in_any_line(stage)


def _no_secret_in_any_line(stage: Stage) -> None:
    """No token, credential or signature appears in what the functions log."""
    logged = "\n".join(line for _, line in stage.lines)
    for name in (CHECKER, REMEDIATOR):
        owner = stage.aws.roles.credentials(name)
        assert owner.secret_access_key not in logged
        assert owner.session_token not in logged
    assert "k8s-aws-v1." not in logged
    assert "X-Amz-Signature" not in logged
