"""Runs of all scenarios: differences from the expectation are printed and make the run fail."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from sandbox.simulation import run_all
from sandbox.simulation.assertions import differences
from sandbox.simulation.scenario import Expectation, Scenario, load
from sandbox.simulation.scenario_result import ScenarioResult

pytestmark = pytest.mark.sandbox

EXPECTED = Expectation(
    verdict="pods-stale", outcome="verified", also=("latent",), actions=("replace-canary-pod",), message_contains=("demo",)
)
RESULT = ScenarioResult(
    verdict="pods-stale", verdicts=("pods-stale", "latent"), actions=["replace-canary-pod"], messages=[{"a": "demo"}], nodes=(3, 3)
)
DIFFERENT = {
    "another verdict": (replace(RESULT, verdict="healthy"), "the verdict is healthy, not pods-stale"),
    "a missing verdict": (replace(RESULT, verdicts=("pods-stale",)), "missing verdicts: latent"),
    "an additional action": (
        replace(RESULT, actions=["replace-canary-pod", "restart-workload"]),
        "the actions are replace-canary-pod, restart-workload, not",
    ),
    "no message": (replace(RESULT, messages=[]), "no message contains 'demo'"),
    "a node that is not ready": (replace(RESULT, nodes=(2, 3)), "2 of 3 nodes are Ready"),
}


def test_the_expected_result_has_no_differences() -> None:
    assert differences(EXPECTED, RESULT) == []


@pytest.mark.parametrize(("result", "sentence"), DIFFERENT.values(), ids=DIFFERENT)
def test_each_difference_is_one_sentence(result: ScenarioResult, sentence: str) -> None:
    (found,) = differences(EXPECTED, result)
    assert found.startswith(sentence)


def test_an_unexpected_message_is_a_difference() -> None:
    expected = Expectation(verdict="healthy", outcome="no-incident")
    assert differences(expected, ScenarioResult(verdict="healthy", messages=[{}])) == ["1 unexpected messages were sent"]


def test_a_scenario_with_another_result_fails_the_run_and_is_marked_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(name: str) -> Scenario:
        scenario = load(name)
        return scenario if name == "healthy" else replace(scenario, expect=replace(scenario.expect, message_contains=("another text",)))

    monkeypatch.setattr(run_all, "names", lambda: ["healthy", "no-binding"])
    monkeypatch.setattr(run_all, "load", loaded)
    output = StringIO()
    assert run_all.run_all("embedded", Console(file=output, width=160)) == 1
    lines = [line.split() for line in output.getvalue().splitlines()]
    assert ["✓", "healthy"] in [line[:2] for line in lines]
    assert ["✗", "no-binding"] in [line[:2] for line in lines]
    assert "no message contains 'another text'" in output.getvalue()
    assert "1 of 2 scenarios ended as expected" in output.getvalue()
