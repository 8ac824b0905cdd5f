"""Every scenario on the small EKS: the real asset in the Lambda emulator, real patterns, TLS, tokens and RBAC."""

import json
from collections.abc import Iterator

import pytest

from sandbox.play.play import Outcome, Play
from sandbox.play.scenario import Scenario, load, names
from sandbox.play.stage import Stage

pytestmark = pytest.mark.sandbox

PLAYED = [name for name in names() if load(name).only != "fakes"]


class Performance:
    """A scenario that was played, and the stage that it was played on."""

    def __init__(self, scenario: Scenario, stage: Stage, outcome: Outcome) -> None:
        self.scenario, self.stage, self.outcome = scenario, stage, outcome

    def said(self) -> str:
        return json.dumps(self.outcome.messages, ensure_ascii=False)


@pytest.fixture(params=PLAYED)
def performance(request: pytest.FixtureRequest) -> Iterator[Performance]:
    scenario = load(request.param)
    with Stage(scenario.world, skip_time=scenario.hurry) as stage:
        yield Performance(scenario, stage, Play(scenario, stage).run())


def test_the_scenario_comes_to_its_end(performance: Performance) -> None:
    expected, outcome = performance.scenario.expect, performance.outcome
    assert expected.verdict in (outcome.first_verdict, outcome.verdict)
    assert set(expected.also) <= set(outcome.verdicts)
    assert outcome.changes[: len(expected.changes)] == list(expected.changes)
    assert not expected.only_changes or outcome.changes == list(expected.changes)
    for text in expected.says:
        assert text in performance.said()
    if expected.outcome in ("quiet", "silent", "recovered"):
        assert outcome.messages == []
    if expected.outcome == "proven":
        assert outcome.nodes[0] == outcome.nodes[1]
    assert performance.stage.ground.life.failure is None
    assert performance.stage.dead_letters.waiting("eks-irsa-remediator-checker") == []
    _no_secret_in_any_line(performance.stage)


def _no_secret_in_any_line(stage: Stage) -> None:
    """No token, credential or signature appears in what the functions log."""
    logged = "\n".join(line for _, line in stage.lines)
    for name in ("eks-irsa-remediator-checker", "eks-irsa-remediator-remediator"):
        owner = stage.aws.roles.credentials(name)
        assert owner.secret_access_key not in logged
        assert owner.session_token not in logged
    assert "k8s-aws-v1." not in logged
    assert "X-Amz-Signature" not in logged
