"""Every scenario over the fakes, and that every failure mode has one."""

import re
from pathlib import Path

import pytest
import yaml

from sandbox.play.judging import differences
from sandbox.play.scenario import InvalidScenario, Scenario, load, names
from tests.over_fakes.performance import play

FAILURE_MODES = Path(__file__).parents[3] / "docs" / "failure-modes.md"
ROWS = range(1, 28)
"""Rows of the table of failure modes in `docs/failure-modes.md`."""


@pytest.mark.parametrize("name", names())
def test_the_scenario_comes_to_its_end(name: str) -> None:
    scenario = load(name)
    outcome = play(scenario).outcome()
    assert outcome.outcome == scenario.expect.outcome
    assert differences(scenario.expect, outcome) == []


def test_every_failure_mode_has_a_scenario() -> None:
    shown = {int(row) for name in names() for row in re.findall(r"\d+", load(name).failure_mode)}
    assert set(ROWS) - shown == set()


def test_the_table_of_failure_modes_names_each_scenario_in_its_row_and_the_verdict_that_comes_out() -> None:
    lines = [line.split("|") for line in FAILURE_MODES.read_text().splitlines() if re.match(r"\| \d+ \|", line)]
    assert [int(cells[1]) for cells in lines] == list(ROWS)
    for cells in lines:
        told = re.findall(r"scenarios/([\w-]+)\.yaml", cells[5])
        meant = [name for name in names() if cells[1].strip() in re.findall(r"\d+", load(name).failure_mode)]
        assert sorted(told) == sorted(meant)
        verdict = re.findall(r"runbooks/([\w-]+)\.md", cells[2])[0]
        assert verdict in {it for name in meant for it in (load(name).expect.verdict, load(name).expect.plan_verdict)}


def test_the_fakes_know_every_word_that_the_small_eks_knows() -> None:
    from sandbox.play import story  # loads the AWS double, which nothing else here needs
    from tests.over_fakes.happenings import HAPPENINGS

    assert set(story.HAPPENINGS) <= set(HAPPENINGS)


@pytest.mark.parametrize(
    ("story", "event"),
    [((("earthquake", {}),), "none"), ((("webhook", {"colour": "red"}),), "none"), ((), "telegram")],
    ids=["word", "switch", "event"],
)
def test_what_a_scenario_says_must_be_understood(story: tuple[tuple[str, dict[str, str]], ...], event: str) -> None:
    healthy = load("healthy")
    with pytest.raises(InvalidScenario):
        play(Scenario(**{**vars(healthy), "story": story, "event": event}))


@pytest.mark.parametrize("text", ["world: {colour: red}", "expect: {verdict: healthy, outcome: quiet, colour: red}", "colour: red"])
def test_unknown_keys_of_a_scenario_are_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandbox.play.scenario.FOLDER", tmp_path)
    whole = {"title": "t", "failure_mode": "none", "expect": {"verdict": "healthy", "outcome": "quiet"}, **yaml.safe_load(text)}
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump(whole))
    with pytest.raises(InvalidScenario):
        load("odd")
