"""The page of incident reports holds the answers of this version, and each answer that differs from the right one is explained."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml

from tests.incident_reports import report as module
from tests.incident_reports.__main__ import main
from tests.incident_reports.report import FOUND, PAGE, Answer, Report, page, reports

MIN_REPORTS = 60
URL = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+/(?:issues|pull|discussions)/\d+")
COMPONENTS = (
    "cni",
    "ebs-csi",
    "efs-csi",
    "lbc",
    "external-dns",
    "cert-manager",
    "autoscaler",
    "karpenter",
    "pod-identity-agent",
    "webhook",
)


@pytest.mark.parametrize("report", reports(), ids=lambda report: report.id)
def test_a_report_has_the_right_answer_or_an_explanation(report: Report) -> None:
    answer = report.play()
    assert (answer.differences == ()) is (report.difference == ""), "; ".join(answer.differences) or "the difference is gone"


def test_the_page_holds_the_answers_of_this_version() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run `python -m tests.incident_reports --write`"


def test_the_program_prints_one_line_for_each_report(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["incident_reports"])
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].split()[1] for line in lines] == [report.id for report in reports()]


def test_each_report_is_public_and_told_once() -> None:
    found = reports()
    assert len(found) >= MIN_REPORTS
    assert len({report.id for report in found}) == len({report.url for report in found}) == len(found)
    assert [report.url for report in found if not URL.fullmatch(report.url)] == []
    assert {report.found for report in found} == set(FOUND), "reports that the product does not help with are listed as well"


def test_the_reports_are_about_every_component() -> None:
    for component in COMPONENTS:
        assert [report.id for report in reports() if report.id.startswith(f"{component}-")], component


def test_a_report_that_needs_a_person_names_facts_of_the_message_and_what_is_left_to_do() -> None:
    waiting = [report for report in reports() if report.scenario.expect.outcome == "needs-action"]
    assert [report.id for report in waiting if not report.scenario.expect.message_contains] == []
    assert [report.id for report in waiting if not report.person] == []


def test_a_third_of_the_reports_runs_in_the_sandbox() -> None:
    found = reports()
    assert 3 * sum(report.runs_in_sandbox for report in found) >= len(found)


def test_no_world_in_the_sandbox_has_a_known_difference() -> None:
    """The sandbox test asserts every fact of the expectation. A report that names a scenario runs with that scenario's own facts."""
    assert [report.id for report in reports() if report.runs_in_sandbox and not report.is_a_scenario and report.difference] == []


def test_a_row_shows_a_difference() -> None:
    report = next(report for report in reports() if not report.difference)
    expected = report.scenario.expect
    right = Answer(verdict=expected.verdict, outcome=expected.outcome, seconds=3, rules=(), differences=())
    other = Answer(verdict="healthy", outcome="no-incident", seconds=0, rules=(), differences=("the verdict is healthy",))
    assert "expected" not in report.row(right)
    assert f"| `healthy`, no-incident; expected: `{expected.verdict}`, {expected.outcome} |" in report.row(other)


def _with(**changes: Any) -> dict[str, Any]:
    expect = {"verdict": "no-fault-found", "outcome": "no-incident", "found": "no"}
    return {"id": "x-1", "url": "https://example.com", "versions": "v1", "seen": "s", "cause": "c", "expect": expect, **changes}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (_with(color="red"), "color"),
        (_with(expect={"verdict": "healthy", "outcome": "no-incident", "found": "perhaps"}), "found is one of"),
        (_with(scenario="healthy", world={"nodes": 3}), "the world is that of the scenario"),
        ({key: value for key, value in _with().items() if key != "cause"}, "cause"),
    ],
)
def test_a_report_with_a_wrong_key_is_rejected(
    document: Mapping[str, Any], problem: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "odd.yaml").write_text(yaml.safe_dump([document]), encoding="utf-8")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    read: Callable[[], object] = reports.__wrapped__
    with pytest.raises(ValueError, match=problem):
        read()
