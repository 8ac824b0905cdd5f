"""One public report: its data, its play over the fakes, and its row of the page."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from preflight.rules import Level
from preflight.run import InputFile, check_files, parse_files
from sandbox.simulation.assertions import differences
from sandbox.simulation.scenario import Expectation, Scenario, load, parse_scenario
from tests.over_fakes.scenario_run import run_scenario
from tests.unit.preflight.fixture_files import FIXTURES, KINDS
from tests.unit.preflight.plan_builder import PlanBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sandbox.simulation.scenario_result import ScenarioResult

REPOSITORY: Final = Path(__file__).parents[2]
FOLDER: Final = REPOSITORY / "incidents"
PAGE: Final = REPOSITORY / "docs" / "incident-reports.md"
BEGIN: Final = "<!-- reports: `python -m tests.incident_reports --write` writes this table -->"
END: Final = "<!-- end of reports -->"
HEADER: Final = (
    "| report | what was seen, and the true cause | answer | preflight | found | repaired | seconds | left for a person |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
FOUND: Final = ("yes", "partly", "no")
REQUIRED: Final = frozenset({"id", "url", "versions", "seen", "cause", "expect"})
WORLD: Final = frozenset({"world", "steps", "event", "skip_waits"})
KEYS: Final = REQUIRED | WORLD | {"scenario", "preflight", "sandbox", "difference"}
EXPECTED: Final = frozenset({"verdict", "outcome", "actions", "message", "found", "person"})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the product does about an incident: the verdict, the end of the incident, and the seconds to that end by the clock of the world.

    `rules` are the errors and warnings of preflight about the file that caused the incident. `differences` are sentences, one for each
    way in which all of this differs from the expectation.
    """

    verdict: str
    outcome: str
    seconds: int
    rules: tuple[str, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PreflightFile:
    """The file that caused an incident, and the rule that must report it; an empty rule if none can."""

    kind: str
    text: str
    rule: str

    def rules(self) -> tuple[str, ...]:
        """The errors and warnings of preflight."""
        read = check_files(parse_files([InputFile(kind=self.kind, name="file", text=self.text)]))
        return tuple(item.rule.id for file in read for item in file.findings if item.level in (Level.ERROR, Level.WARNING))


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report in our own words, with the answer that would be right.

    `scenario` holds the world and the expectation. `found` says whether the answer of this version names the cause, and `person` what is
    left for a person. `difference` explains why the answer is not the expected one. `world_key` is the same for reports with the same
    world.
    """

    id: str
    url: str
    versions: str
    seen: str
    cause: str
    scenario: Scenario
    found: str
    person: str
    difference: str
    file: PreflightFile | None
    is_a_scenario: bool
    runs_in_sandbox: bool
    world_key: str

    def play(self) -> Answer:
        """The answer of this version over the fakes."""
        run = run_scenario(self.scenario)
        result = run.outcome()
        rules = self.file.rules() if self.file else ()
        return Answer(
            verdict=result.verdict,
            outcome=result.outcome,
            seconds=round((run.world.now - run.announced_at).total_seconds()),
            rules=rules,
            differences=tuple(self._differences(result, rules)),
        )

    def _differences(self, result: ScenarioResult, rules: Sequence[str]) -> Iterator[str]:
        if result.outcome != self.scenario.expect.outcome:
            yield f"the outcome is {result.outcome}, not {self.scenario.expect.outcome}"
        yield from differences(self.scenario.expect, result)
        if self.file and (self.file.rule not in rules if self.file.rule else rules):
            yield f"preflight reports {', '.join(rules) or 'nothing'}, not {self.file.rule or 'nothing'}"

    def row(self, answer: Answer) -> str:
        """The row of the page."""
        expected = self.scenario.expect
        told = f"`{answer.verdict}`, {answer.outcome}"
        if (answer.verdict, answer.outcome) != (expected.verdict, expected.outcome):
            told += f"; expected: `{expected.verdict}`, {expected.outcome}"
        told += f". {self.difference}." if self.difference else ""
        rule = self.file.rule if self.file else ""
        prevented = f"[{rule}](preflight/rules/{rule}.md)" if rule in answer.rules else "no" if self.file else "–"
        cells = (
            f"[{self.id}]({self.url}): {self.versions}",
            f"{self.seen}. Cause: {self.cause}",
            told,
            prevented,
            self.found,
            "yes" if answer.outcome == "verified" else "no",
            str(answer.seconds) if answer.outcome not in ("no-incident", "no-message") else "–",
            self.person or "nothing",
        )
        return f"| {' | '.join(cells)} |\n"


@cache
def reports() -> tuple[Report, ...]:
    """Every report, in the order of the files."""
    documents = (document for path in sorted(FOLDER.glob("*.yaml")) for document in yaml.safe_load(path.read_text(encoding="utf-8")))
    return tuple(map(_report, documents))


def _report(document: Mapping[str, Any]) -> Report:
    name, expect = document.get("id"), document.get("expect", {})
    if wrong := (set(document) - KEYS) | (REQUIRED - set(document)) | (set(expect) - EXPECTED):
        raise ValueError(f"{name}: unknown or missing key {', '.join(sorted(wrong))}")
    difference = document.get("difference", {})
    found = difference.get("found", expect["found"])
    if not {found, expect["found"]} <= set(FOUND):
        raise ValueError(f"{name}: found is one of {', '.join(FOUND)}")
    scenario = _scenario(document, expect)
    return Report(
        **{key: document[key] for key in ("id", "url", "versions", "seen", "cause")},
        scenario=scenario,
        found=found,
        person=expect.get("person", ""),
        difference=difference.get("because", ""),
        file=_file(document["preflight"]) if "preflight" in document else None,
        is_a_scenario="scenario" in document,
        runs_in_sandbox=scenario.runs_on("embedded") if "scenario" in document else document.get("sandbox", False),
        world_key=document.get("scenario") or json.dumps({key: document.get(key) for key in sorted(WORLD)}),
    )


def _scenario(document: Mapping[str, Any], expect: Mapping[str, Any]) -> Scenario:
    """The world of the report, or of the scenario that it names, with the expectation of the report."""
    result = {"verdict": expect["verdict"], "outcome": expect["outcome"], "actions": expect.get("actions", [])}
    result |= {"message_contains": expect.get("message", [])}
    if "scenario" in document:
        if WORLD & set(document):
            raise ValueError(f"{document['id']}: the world is that of the scenario")
        return replace(load(document["scenario"]), expect=Expectation(**{key: _frozen(value) for key, value in result.items()}))
    described = {key: document[key] for key in WORLD if key in document}
    described = {"event": "check-requested", **described, "title": document["seen"], "failure_mode": "none", "expect": result}
    return parse_scenario(document["id"], described)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _file(document: Mapping[str, Any]) -> PreflightFile:
    """`rule`, and one of `plan` (resources of a Terraform plan), `eksctl`, `template`, and `fixture` (a file of the tests of preflight)."""
    rule = document.get("rule", "")
    if "fixture" in document:
        path = FIXTURES / document["fixture"]
        return PreflightFile(kind=KINDS[path.parent.name], text=path.read_text(encoding="utf-8"), rule=rule)
    if "plan" in document:
        builder = PlanBuilder()
        for resource in document["plan"]:
            builder.add(**resource)
        return PreflightFile(kind="terraform-plan", text=builder.json(), rule=rule)
    kind = "eksctl" if "eksctl" in document else "template"
    return PreflightFile(kind=kind, text=json.dumps(document[kind], indent=2), rule=rule)


def page(text: str) -> str:
    """The page with the table of every report, played now."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    played = [(report, report.play()) for report in reports()]
    rows = "".join(report.row(answer) for report, answer in played)
    return f"{before}{BEGIN}\n{_summary(played)}\n\n{HEADER}{rows}{END}{after}"


def _summary(played: Sequence[tuple[Report, Answer]]) -> str:
    """The counts of the table as sentences."""
    counted = {word: sum(report.found == word for report, _ in played) for word in FOUND}
    repaired = sum(answer.outcome == "verified" for _, answer in played)
    prevented = sum(bool(report.file and report.file.rule in answer.rules) for report, answer in played)
    return (
        f"{len(played)} reports. The cause is found in {counted['yes']}, partly in {counted['partly']}, and not in {counted['no']}. "
        f"{repaired} are repaired. Preflight reports {prevented} before they happen. "
        f"{sum(report.runs_in_sandbox for report, _ in played)} also run in the sandbox. "
        f"{sum(bool(report.difference) for report, _ in played)} answers differ from the expectation."
    )
