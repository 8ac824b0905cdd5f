"""Output formats. After an intended change: `UPDATE_GOLDEN=1 pytest tests/unit/preflight/test_outputs.py`, then read the diff."""

import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import jsonschema
import pytest
from rich.console import Console

from lambdas.contract.version import VERSION
from preflight import rules
from preflight.cluster import Upgrade
from preflight.finding import Finding
from preflight.outputs.document import document
from preflight.outputs.github import workflow_commands
from preflight.outputs.junit import junit
from preflight.outputs.sarif import sarif, uri
from preflight.outputs.table import views
from preflight.report import FileReport, PreflightReport
from preflight.rule_pages import FOLDER, pages
from preflight.rules import RULES
from tests.unit.preflight.clusters import report_on_demo
from tests.unit.preflight.fixture_files import HERE, KINDS, findings_of
from tests.world import role_arn

GOLDEN = HERE / "golden"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"
SCHEMA = json.loads((HERE / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))


def files(*named: tuple[str, str]) -> PreflightReport:
    return PreflightReport(
        files=tuple(
            FileReport(
                file=f"infra/{name}",
                kind=KINDS[folder],
                findings=tuple(replace(finding, file=f"infra/{name}") for finding in findings_of(folder, name)),
            )
            for folder, name in named
        )
    )


def three_files() -> PreflightReport:
    """A passing, an unreadable and a failing file, with one finding that is suppressed."""
    report = files(("terraform", "overwrite.json"), ("template", "cdk.json"))
    passing, failing = report.files
    suppressed = tuple(replace(finding, suppressed="fixed in May") for finding in passing.findings)
    unreadable = FileReport(file="infra/empty.yaml", kind="eksctl", error="infra/empty.yaml is empty")
    return replace(report, files=(replace(passing, findings=suppressed), unreadable, failing))


REPORTS: dict[str, Callable[[], PreflightReport]] = {
    "passes": lambda: files(("terraform", "keeps-role.json")),
    "plan-drops-role": lambda: files(("terraform", "module-drops-role.json")),
    "plan-wrong-trust": lambda: files(("terraform", "trust-of-other-cluster.json")),
    "plan-unknown": lambda: files(("terraform", "role-unknown.json")),
    "three-files": three_files,
    "cluster-passes": lambda: PreflightReport(clusters=(report_on_demo({}, Upgrade(kubernetes_version="1.29")),)),
    "cluster-fails": lambda: PreflightReport(
        clusters=(report_on_demo({"addon": {"role_arn": None}}, Upgrade(addon_version="v1.16.0-eksbuild.1")),)
    ),
    "cluster-unknown": lambda: PreflightReport(
        clusters=(report_on_demo({"addon": {"status": "UPDATING", "role_arn": role_arn("demo-vpc-cni")}}),)
    ),
}


def as_table(report: PreflightReport) -> str:
    screen = io.StringIO()
    console = Console(file=screen, width=120, highlight=False, markup=False, color_system=None)
    for view in views(report):
        console.print(view)
    return "\n".join(line.rstrip() for line in screen.getvalue().splitlines()) + "\n"


FORMATS: dict[str, Callable[[PreflightReport], str]] = {
    ".txt": as_table,
    ".json": lambda report: json.dumps(document(report), indent=2, ensure_ascii=False) + "\n",
    ".xml": junit,
    ".github": lambda report: "".join(f"{line}\n" for line in workflow_commands(report)),
    ".sarif": lambda report: json.dumps(sarif(report), indent=2, ensure_ascii=False).replace(f'"{VERSION}"', '"<version>"') + "\n",
}
GOLDEN_FILES = [
    *((name, ".txt") for name in REPORTS),
    *((name, suffix) for name in ("three-files", "cluster-fails") for suffix in FORMATS if suffix != ".txt"),
]


@pytest.mark.parametrize(("name", "suffix"), GOLDEN_FILES, ids=["".join(pair) for pair in GOLDEN_FILES])
def test_each_format_equals_its_golden_file(name: str, suffix: str) -> None:
    path = GOLDEN / f"{name}{suffix}"
    now = FORMATS[suffix](REPORTS[name]())
    if UPDATE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8")
    assert now == path.read_text(encoding="utf-8"), f"{path.name} differs; UPDATE_GOLDEN=1 rewrites it"


def test_no_golden_file_is_unused() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}{suffix}" for name, suffix in GOLDEN_FILES}


@pytest.mark.parametrize("name", REPORTS)
def test_sarif_is_valid_and_each_result_names_rule_and_place(name: str) -> None:
    log = sarif(REPORTS[name]())
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    listed = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert listed[result["ruleIndex"]]["id"] == result["ruleId"]
        (place,) = result["locations"]
        assert place
        if "physicalLocation" in place:
            assert place["physicalLocation"]["region"]["startLine"] >= 1
            assert place["physicalLocation"]["artifactLocation"]["uri"].startswith("infra/")


def test_the_schema_rejects_wrong_sarif() -> None:
    log = sarif(REPORTS["plan-drops-role"]())
    log["runs"][0]["results"][0]["level"] = "grave"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(SCHEMA).validate(log)


def test_a_sarif_result_keeps_its_identity_when_its_line_moves() -> None:
    report = REPORTS["three-files"]()
    moved = replace(
        report,
        files=tuple(replace(file, findings=tuple(replace(one, line=one.line + 7) for one in file.findings)) for file in report.files),
    )
    prints = [[result["partialFingerprints"] for result in sarif(one)["runs"][0]["results"]] for one in (report, moved)]
    assert prints[0] == prints[1]
    assert len({json.dumps(fingerprint) for fingerprint in prints[0]}) == len(prints[0])


@pytest.mark.parametrize(
    ("file", "found"),
    [("plan.json", "plan.json"), ("a b/ü#.json", "a%20b/%C3%BC%23.json"), ("/x y/p.json", "file:///x%20y/p.json"), ("stdin", "stdin")],
)
def test_a_file_is_a_uri(file: str, found: str) -> None:
    assert uri(file) == found


HOSTILE = "\x1b]0;owned\x07\x1b[2J\n::set-output name=x::y,%<&"


def hostile() -> PreflightReport:
    finding = Finding(
        rule=rules.ROLE_MISSING, message=HOSTILE, resource=HOSTILE, file=HOSTILE, expression=HOSTILE, place=HOSTILE, add=(HOSTILE,)
    )
    return PreflightReport(files=(FileReport(file=HOSTILE, kind="template", findings=(finding,)),))


def test_control_characters_of_files_do_not_reach_the_terminal_or_the_xml() -> None:
    assert "\x1b" not in as_table(hostile())
    (suite,) = fromstring(junit(hostile()))  # noqa: S314  # our own output
    assert suite.get("failures") == "1"


def test_text_of_a_file_cannot_add_a_workflow_command() -> None:
    (command,) = workflow_commands(hostile())
    assert "\n" not in command
    assert command.startswith("::error file=")
    assert command.count("::") == 2 + HOSTILE.count("::") * 4  # in messages, where they have no effect


def test_rules_are_distinct_and_name_cause_fix_and_source() -> None:
    assert len({rule.id for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.why.endswith(".")
        assert rule.fix.endswith(".")
        assert rule.source.startswith("https://")


def test_each_rule_has_its_page() -> None:
    """After a change of a rule: `python -m preflight.rule_pages`."""
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == pages()
