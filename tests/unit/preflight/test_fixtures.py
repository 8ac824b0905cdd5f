"""The findings of each fixture: the table in `fixtures/expectations.yaml`."""

import pytest
import yaml

from preflight.finding import Finding
from preflight.report import FileReport, PreflightReport
from tests.unit.preflight.fixture_files import FIXTURES, KINDS, findings_of

EXPECTED = yaml.safe_load((FIXTURES / "expectations.yaml").read_text(encoding="utf-8"))
ROWS = [(folder, name) for folder, files in EXPECTED.items() for name in files]


def told(it: Finding) -> str:
    place = f":{it.line}:{it.column}" if it.line else ""
    return " ".join(filter(None, (it.level.value, it.rule.name, it.resource, place)))


@pytest.mark.parametrize(("folder", "name"), ROWS, ids=[f"{folder}-{name}" for folder, name in ROWS])
def test_each_file_is_read_as_the_table_says(folder: str, name: str) -> None:
    assert [told(item) for item in findings_of(folder, name)] == EXPECTED[folder][name]


@pytest.mark.parametrize(("folder", "name"), ROWS, ids=[f"{folder}-{name}" for folder, name in ROWS])
def test_the_exit_code_follows_the_gravest_level(folder: str, name: str) -> None:
    read = FileReport(file=name, kind=KINDS[folder], findings=findings_of(folder, name))
    levels = {line.split()[0] for line in EXPECTED[folder][name]}
    assert PreflightReport(files=(read,)).exit_code == (1 if "error" in levels else 2 if "unknown" in levels else 0)


@pytest.mark.parametrize("folder", KINDS)
def test_every_fixture_is_in_the_table(folder: str) -> None:
    assert {path.name for path in (FIXTURES / folder).iterdir()} == set(EXPECTED[folder])


def test_there_are_fixtures_of_either_kind_for_each_reader() -> None:
    for folder in KINDS:
        codes = {bool([line for line in lines if line.startswith(("error", "unknown"))]) for lines in EXPECTED[folder].values()}
        assert codes == {True, False}, folder


def test_a_finding_has_the_line_of_its_resource() -> None:
    for folder, name in ROWS:
        if folder == "terraform":
            continue
        lines = (FIXTURES / folder / name).read_text(encoding="utf-8").splitlines()
        for item in findings_of(folder, name):
            if item.line and item.rule.name == "overwrite":
                assert lines[item.line - 1][item.column - 1 :].strip('"').lower().startswith("resolveconflicts")
