"""The page of incident reports holds the answers of this version, and each answer that differs from the right one is explained."""

import re

import pytest

from tests.incident_reports.__main__ import main
from tests.incident_reports.report import HELPS, PAGE, Answer, Report, page, reports

MIN_REPORTS = 20
URL = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+/(?:issues|pull|discussions)/\d+")


@pytest.mark.parametrize("report", reports(), ids=lambda report: report.id)
def test_a_report_has_the_right_answer_or_an_explanation(report: Report) -> None:
    got = report.play()
    assert (got == report.expected) is (report.difference == ""), f"got {got.text}"


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
    assert {report.helps for report in found} == set(HELPS), "reports that the program does not help with are listed as well"


def test_a_row_shows_a_difference() -> None:
    report = next(report for report in reports() if not report.difference)
    assert "Differs" not in report.row(report.expected)
    other = Answer(verdict="healthy", outcome="no-incident")
    assert f"| {report.expected.text} | {other.text} |" in report.row(other)
