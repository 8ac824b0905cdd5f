"""All scenarios one after the other: what came out otherwise than expected is said, and counts."""

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from sandbox.simulation import run_all
from sandbox.simulation.assertions import differences
from sandbox.simulation.scenario import Expectation, Scenario, load
from sandbox.simulation.scenario_result import ScenarioResult

pytestmark = pytest.mark.sandbox

EXPECTED = Expectation(verdict="pods-stale", outcome="verified", also=("latent",), changes=("replace-canary-pod",), says=("demo",))
RIGHT = ScenarioResult(
    verdict="pods-stale", verdicts=("pods-stale", "latent"), changes=["replace-canary-pod"], messages=[{"a": "demo"}], nodes=(3, 3)
)
WRONG = {
    "another verdict": (replace(RIGHT, verdict="healthy"), "the verdict is healthy, not pods-stale"),
    "one verdict less": (replace(RIGHT, verdicts=("pods-stale",)), "not found beside it: latent"),
    "one change more": (
        replace(RIGHT, changes=["replace-canary-pod", "restart-workload"]),
        "the changes are replace-canary-pod, restart-workload, not",
    ),
    "nothing said": (replace(RIGHT, messages=[]), "no message says 'demo'"),
    "a node less": (replace(RIGHT, nodes=(2, 3)), "2 of 3 nodes are Ready"),
}


def test_what_is_as_expected_is_no_difference() -> None:
    assert differences(EXPECTED, RIGHT) == []


@pytest.mark.parametrize(("outcome", "said"), WRONG.values(), ids=WRONG)
def test_each_difference_is_said(outcome: ScenarioResult, said: str) -> None:
    (found,) = differences(EXPECTED, outcome)
    assert found.startswith(said)


def test_a_message_where_nobody_need_be_told_is_a_difference() -> None:
    quiet = Expectation(verdict="healthy", outcome="quiet")
    assert differences(quiet, ScenarioResult(verdict="healthy", messages=[{}])) == ["messages were sent where nobody need be told: 1"]


def test_a_scenario_that_ends_otherwise_fails_the_whole_and_the_table_tells_both(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded(name: str) -> Scenario:
        scenario = load(name)
        return scenario if name == "healthy" else replace(scenario, expect=replace(scenario.expect, says=("what nobody says",)))

    monkeypatch.setattr(run_all, "names", lambda: ["healthy", "no-binding"])
    monkeypatch.setattr(run_all, "load", loaded)
    shown = StringIO()
    assert run_all.run_all("embedded", Console(file=shown, width=160)) == 1
    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert ["✓", "healthy"] in [line[:2] for line in lines]
    assert ["✗", "no-binding"] in [line[:2] for line in lines]
    assert "no message says 'what nobody says'" in shown.getvalue()
    assert "1 of 2 scenarios came to the end that they expect" in shown.getvalue()
