"""Every scenario over the fakes, and a scenario for every failure mode."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.simulation.assertions import differences
from sandbox.simulation.scenario import InvalidScenario, Scenario, load, names
from tests.over_fakes.scenario_run import ScenarioRun, run_scenario

_PAGE = Path(__file__).parents[3] / "docs" / "failure-modes.md"
ROWS = {int(number): verdict for number, verdict in re.findall(r"^\| (\d+) \| \[([\w-]+)\]", _PAGE.read_text(), flags=re.MULTILINE)}
"""The table of failure modes: number -> verdict."""


@pytest.mark.parametrize("name", names())
def test_the_scenario_has_its_expected_result(name: str) -> None:
    scenario = load(name)
    outcome = run_scenario(scenario).outcome()
    assert outcome.outcome == scenario.expect.outcome
    assert differences(scenario.expect, outcome) == []


def _scenarios_of(number: int) -> list[Scenario]:
    return [item for item in map(load, names()) if str(number) in re.findall(r"\d+", item.failure_mode)]


def test_the_failure_modes_are_numbered_in_order() -> None:
    assert list(ROWS) == list(range(1, len(ROWS) + 1))


@pytest.mark.parametrize(("number", "verdict"), ROWS.items())
def test_each_failure_mode_has_a_scenario_with_its_verdict(number: int, verdict: str) -> None:
    assert verdict in {told for item in _scenarios_of(number) for told in (item.expect.verdict, item.expect.plan_verdict)}


def test_each_scenario_names_existing_failure_modes() -> None:
    told = {int(number) for item in map(load, names()) for number in re.findall(r"\d+", item.failure_mode)}
    assert told <= set(ROWS)


def test_no_scenario_rests_on_a_native_event_of_eks() -> None:
    """A rule on `aws.eks` has only ever been seen to receive calls from CloudTrail (docs/events)."""
    assert "addon-event" not in {load(name).event for name in names()}


REQUESTED = [name for name in names() if load(name).event == "check-requested" and load(name).world.binding is not None]
"""Scenarios of bound ServiceAccounts that a request starts. Others are about nodes or refused calls, which a sweep does not read."""


@pytest.mark.parametrize("name", REQUESTED)
def test_the_sweep_alone_finds_the_fault(name: str) -> None:
    """No event of AWS arrives, native or from CloudTrail."""
    scenario = replace(load(name), event="sweep")
    outcome = run_scenario(scenario).outcome()
    assert outcome.outcome == scenario.expect.outcome
    assert differences(scenario.expect, outcome) == []


def test_an_unknown_event_is_rejected() -> None:
    with pytest.raises(InvalidScenario):
        run_scenario(Scenario(**{**vars(load("healthy")), "event": "telegram"}))


@pytest.mark.parametrize(
    "text",
    [
        "steps: [earthquake]",
        "steps: [{configure_webhook: {color: red}}]",
        "steps: [{join_nodes: {}}]",
        "world: {color: red}",
        "world: {trust: none-of-them}",
        "expect: {verdict: healthy, outcome: no-incident, color: red}",
        "expect: {verdict: healthy, outcome: provn}",
        "color: red",
    ],
)
def test_an_unknown_word_in_a_scenario_is_rejected(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.simulation.scenario.FOLDER", tmp_path)
    whole = {"title": "t", "failure_mode": "none", "expect": {"verdict": "healthy", "outcome": "no-incident"}, **yaml.safe_load(text)}
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(whole))
    with pytest.raises(InvalidScenario):
        load("odd")


def test_an_empty_scenario_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.simulation.scenario.FOLDER", tmp_path)
    (tmp_path / "empty.yaml").touch()
    with pytest.raises(InvalidScenario):
        load("empty")


def test_repairs_of_a_deleted_cluster_with_the_same_name_do_not_count() -> None:
    scenario = load("flapping")
    rebuilt = run_scenario(scenario, kind=RebuiltCluster)
    assert "annotate" in rebuilt.world.writes[0]
    assert rebuilt.outcome().outcome == "verified"


class RebuiltCluster(ScenarioRun):
    """A run whose cluster is created after the past repairs."""

    def deliver(self, event: Mapping[str, Any]) -> None:
        self.world.cluster.facts = replace(self.world.cluster.facts, created_at=self.world.now - timedelta(hours=1))
        super().deliver(event)
