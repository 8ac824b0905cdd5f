"""Every format, word for word. After a wanted change: `UPDATE_GOLDEN=1 pytest tests/unit/preflight/test_outputs.py`, then read the diff."""

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from rich.console import Console

from lambdas.contract.version import VERSION
from preflight.cluster import Upgrade
from preflight.outputs.document import document
from preflight.outputs.sarif import sarif, uri
from preflight.outputs.table import views
from preflight.report import FileReport, PreflightReport
from preflight.rules import RULES, Level
from tests.unit.preflight.clusters import report_on_demo
from tests.unit.preflight.fixture_files import HERE, KINDS, findings_of
from tests.world import role_arn

GOLDEN = HERE / "golden"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"
SCHEMA = json.loads((HERE / "sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))


def files(*named: tuple[str, str]) -> PreflightReport:
    return PreflightReport(
        files=tuple(FileReport(file=f"infra/{name}", kind=KINDS[it], findings=_in_infra(it, name)) for it, name in named)
    )


def _in_infra(folder: str, name: str) -> Any:
    from dataclasses import replace

    return tuple(replace(it, file=f"infra/{name}") for it in findings_of(folder, name))


REPORTS: dict[str, Callable[[], PreflightReport]] = {
    "keeps": lambda: files(("terraform", "keeps-role.json")),
    "plan-loses": lambda: files(("terraform", "module-drops-role.json")),
    "plan-trust": lambda: files(("terraform", "trust-of-other-cluster.json")),
    "plan-unknown": lambda: files(("terraform", "role-unknown.json")),
    "three-files": lambda: files(("terraform", "overwrite.json"), ("eksctl", "nothing.yaml"), ("template", "cdk.json")),
    "cluster-keeps": lambda: PreflightReport(clusters=(report_on_demo({}, Upgrade(kubernetes_version="1.29")),)),
    "cluster-loses": lambda: PreflightReport(
        clusters=(report_on_demo({"addon": {"role_arn": None}}, Upgrade(addon_version="v1.16.0-eksbuild.1")),)
    ),
    "cluster-unread": lambda: PreflightReport(
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
    ".json": lambda it: json.dumps(document(it), indent=2, ensure_ascii=False) + "\n",
    ".yaml": lambda it: yaml.safe_dump(document(it), sort_keys=False, allow_unicode=True, width=10_000),
    ".sarif": lambda it: json.dumps(sarif(it), indent=2, ensure_ascii=False).replace(f'"{VERSION}"', '"<version>"') + "\n",
}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("suffix", FORMATS)
def test_each_outcome_is_written_in_the_same_words(name: str, suffix: str) -> None:
    path = GOLDEN / f"{name}{suffix}"
    now = FORMATS[suffix](REPORTS[name]())
    if UPDATE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8")
    assert now == path.read_text(encoding="utf-8"), f"{path.name} differs; UPDATE_GOLDEN=1 writes it anew"


def test_no_golden_file_is_left_over() -> None:
    assert {it.name for it in GOLDEN.iterdir()} == {f"{name}{suffix}" for name in REPORTS for suffix in FORMATS}


@pytest.mark.parametrize("name", REPORTS)
def test_sarif_is_what_its_schema_asks_for(name: str) -> None:
    jsonschema.Draft4Validator(SCHEMA).validate(sarif(REPORTS[name]()))


def test_sarif_that_is_wrong_is_refused_by_the_schema() -> None:
    log = sarif(REPORTS["plan-loses"]())
    log["runs"][0]["results"][0]["level"] = "grave"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft4Validator(SCHEMA).validate(log)


@pytest.mark.parametrize("name", REPORTS)
def test_each_sarif_result_names_its_rule_and_place(name: str) -> None:
    (run,) = sarif(REPORTS[name]())["runs"]
    rules = run["tool"]["driver"]["rules"]
    for it in run["results"]:
        assert rules[it["ruleIndex"]]["id"] == it["ruleId"]
        (place,) = it["locations"]
        assert place
        if "physicalLocation" in place:
            assert place["physicalLocation"]["region"]["startLine"] >= 1
            assert place["physicalLocation"]["artifactLocation"]["uri"].startswith("infra/")


def test_a_sarif_result_stays_the_same_one_when_its_line_moves() -> None:
    from dataclasses import replace

    report = REPORTS["three-files"]()
    moved = PreflightReport(
        files=tuple(replace(it, findings=tuple(replace(one, line=one.line + 7) for one in it.findings)) for it in report.files)
    )
    prints = [[it["partialFingerprints"] for it in sarif(one)["runs"][0]["results"]] for one in (report, moved)]
    assert prints[0] == prints[1]
    assert len({json.dumps(fingerprint) for fingerprint in prints[0]}) == len(prints[0])


@pytest.mark.parametrize(
    ("file", "found"),
    [("plan.json", "plan.json"), ("a b/ü#.json", "a%20b/%C3%BC%23.json"), ("/x y/p.json", "file:///x%20y/p.json"), ("stdin", "stdin")],
)
def test_a_file_is_a_uri(file: str, found: str) -> None:
    assert uri(file) == found


def test_control_characters_from_files_do_not_reach_the_terminal() -> None:
    from dataclasses import replace

    report = REPORTS["plan-loses"]()
    evil = "\x1b]0;owned\x07\x1b[2J"
    findings = tuple(replace(it, message=evil, resource=evil, expression=evil, place=evil, add=(evil,)) for it in report.files[0].findings)
    assert "\x1b" not in as_table(PreflightReport(files=(FileReport(file=evil, kind="terraform-plan", findings=findings),)))


def test_rules_are_told_apart_and_each_says_why_and_by_what_source() -> None:
    assert len({it.id for it in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.title
        assert rule.why.endswith(".")
        assert rule.source.startswith("https://")
        assert rule.level in Level


def test_every_rule_is_in_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "preflight.md").read_text(encoding="utf-8")
    rows = {line.split("`")[1]: line.split("|")[2].strip() for line in page.splitlines() if line.startswith("| `")}
    assert {it.id: it.level.value for it in RULES}.items() <= rows.items()
