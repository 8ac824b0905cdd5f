"""One public report: its data, its play over the fakes, and its row of the page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox.simulation.scenario import Scenario, parse_scenario
from tests.over_fakes.scenario_run import run_scenario

FILE: Final = Path(__file__).with_name("reports.yaml")
PAGE: Final = Path(__file__).parents[2] / "docs" / "incident-reports.md"
BEGIN: Final = "<!-- reports: `python -m tests.incident_reports --write` writes this table -->"
END: Final = "<!-- end of reports -->"
HEADER: Final = "| report | versions | what was seen | true cause | expected | got | helps |\n|---|---|---|---|---|---|---|\n"
KEYS: Final = frozenset({"id", "url", "versions", "seen", "cause", "world", "steps", "event", "skip_waits", "expect", "difference"})
HELPS: Final = ("yes", "partly", "no")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the program says of an incident: the verdict, and how the incident ends."""

    verdict: str
    outcome: str

    @property
    def text(self) -> str:
        """The cell of the table."""
        return f"`{self.verdict}`, {self.outcome}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report in our own words. `expected` is the right answer, `difference` says why the program gives another one."""

    id: str
    url: str
    versions: str
    seen: str
    cause: str
    expected: Answer
    helps: str
    difference: str
    scenario: Scenario

    def play(self) -> Answer:
        """The answer that the program gives: the checker's verdict that leads to an incident, and the outcome."""
        result = run_scenario(self.scenario).outcome()
        return Answer(verdict=result.verdict, outcome=result.outcome)

    def row(self, got: Answer) -> str:
        """The row of the page."""
        difference = f" Differs: {self.difference}." if self.difference else ""
        cells = (f"[{self.id}]({self.url})", self.versions, self.seen, self.cause, self.expected.text, got.text + difference, self.helps)
        return f"| {' | '.join(cells)} |\n"


@cache
def reports() -> tuple[Report, ...]:
    """Every report, in the order of the file."""
    return tuple(map(_report, yaml.safe_load(FILE.read_text(encoding="utf-8"))))


def _report(document: dict[str, Any]) -> Report:
    if unknown := set(document) - KEYS:
        raise ValueError(f"{document.get('id')}: unknown key {', '.join(sorted(unknown))}")
    expected = Answer(verdict=document["expect"]["verdict"], outcome=document["expect"]["outcome"])
    scenario = {key: document[key] for key in ("world", "steps", "skip_waits") if key in document} | {
        "title": document["seen"],
        "failure_mode": "none",
        "event": document.get("event", "check-requested"),
        "expect": {"verdict": expected.verdict, "outcome": expected.outcome},
    }
    return Report(
        **{key: document[key] for key in ("id", "url", "versions", "seen", "cause")},
        expected=expected,
        helps=document["expect"]["helps"],
        difference=document.get("difference", ""),
        scenario=parse_scenario(document["id"], scenario),
    )


def page(text: str) -> str:
    """The page with the table of every report, played now."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    rows = "".join(report.row(report.play()) for report in reports())
    return f"{before}{BEGIN}\n{HEADER}{rows}{END}{after}"
