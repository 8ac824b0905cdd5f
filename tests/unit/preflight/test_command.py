"""The command: options, exit codes and output."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from cli.clients import connection
from cli.commands.preflight import preflight
from cli.options import with_global_options
from tests.cli_runner import CliRunner, Result
from tests.unit.preflight.clusters import dependencies_of
from tests.unit.preflight.fixture_files import FIXTURES
from tests.world import described

TERRAFORM, EKSCTL, TEMPLATE = FIXTURES / "terraform", FIXTURES / "eksctl", FIXTURES / "template"


@pytest.fixture
def no_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(asked: Any) -> Any:
        raise AssertionError("no file needs AWS")

    monkeypatch.setattr(connection, "connect", connect)


def run(*words: str | Path, stdin: bytes | None = None) -> Result:
    app = typer.Typer()
    app.command()(with_global_options(preflight))
    return CliRunner().invoke(app, [str(word) for word in words], input=stdin)


@pytest.mark.usefixtures("no_aws")
@pytest.mark.parametrize(
    ("option", "path", "exit_code"),
    [
        ("--terraform-plan", TERRAFORM / "keeps-role.json", 0),
        ("--terraform-plan", TERRAFORM / "module-drops-role.json", 1),
        ("--terraform-plan", TERRAFORM / "role-unknown.json", 2),
        ("--eksctl", EKSCTL / "role-arn.yaml", 0),
        ("--eksctl", EKSCTL / "nothing.yaml", 1),
        ("--template", TEMPLATE / "role.yaml", 0),
        ("--template", TEMPLATE / "cdk.json", 1),
        ("--template", TEMPLATE / "conditional.yaml", 2),
        ("--template", FIXTURES / "malformed" / "empty.yaml", 2),
        ("--eksctl", FIXTURES / "nothing-here.yaml", 2),
    ],
    ids=lambda item: item.name if isinstance(item, Path) else str(item),
)
@pytest.mark.parametrize("output", ["table", "json", "yaml", "sarif"])
def test_files_need_no_aws_and_set_the_exit_code(option: str, path: Path, exit_code: int, output: str) -> None:
    assert run(option, path, "--output", output).exit_code == exit_code


@pytest.mark.usefixtures("no_aws")
def test_json_and_yaml_hold_the_same(tmp_path: Path) -> None:
    words = ("--eksctl", EKSCTL / "nothing.yaml", "--template", TEMPLATE / "cdk.json")
    as_json = json.loads(run(*words, "-o", "json").stdout)
    assert as_json == yaml.safe_load(run(*words, "-o", "yaml").stdout)
    assert (as_json["command"], as_json["result"], as_json["exitCode"]) == ("preflight", "fail", 1)
    assert [file["kind"] for file in as_json["files"]] == ["eksctl", "template"]


@pytest.mark.usefixtures("no_aws")
def test_sarif_is_written_to_standard_output_alone() -> None:
    result = run("--terraform-plan", TERRAFORM / "module-drops-role.json", "-o", "sarif")
    assert json.loads(result.stdout)["version"] == "2.1.0"
    assert result.stderr == ""


@pytest.mark.usefixtures("no_aws")
def test_a_mistake_is_one_sentence_without_a_traceback() -> None:
    result = run("--terraform-plan", FIXTURES / "malformed" / "truncated-plan.json")
    assert "truncated-plan.json:3:1isnotJSON:Expectingvalue" in "".join(result.stdout.split())  # the path decides where lines wrap
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.usefixtures("no_aws")
def test_a_plan_is_read_from_standard_input() -> None:
    result = run("--terraform-plan", "-", "-o", "json", stdin=(TERRAFORM / "module-drops-role.json").read_bytes())
    assert result.exit_code == 1
    assert json.loads(result.stdout)["findings"][0]["file"] == "stdin"


@pytest.mark.usefixtures("no_aws")
def test_standard_input_is_read_once() -> None:
    result = run("--terraform-plan", "-", "--eksctl", "-", stdin=b"{}")
    assert result.exit_code == 2
    assert "only once" in result.stderr


@pytest.mark.usefixtures("no_aws")
def test_versions_without_a_cluster_are_refused() -> None:
    result = run("--eksctl", EKSCTL / "role-arn.yaml", "--kubernetes-version", "1.33")
    assert result.exit_code == 2
    assert "add --cluster" in result.stderr


def test_clusters_and_files_are_judged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "connect", lambda asked: dependencies_of(described()))
    result = run("--cluster", "demo", "--eksctl", EKSCTL / "nothing.yaml", "-o", "json")
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [cluster["cluster"] for cluster in told["clusters"]] == ["demo"]
    assert [finding["name"] for finding in told["findings"]] == ["role-missing"]


def test_the_only_cluster_need_not_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "connect", lambda asked: dependencies_of(described()))
    result = run("--kubernetes-version", "1.29", "-o", "json")
    assert json.loads(result.stdout)["clusters"][0]["kubernetes"] == {"now": "1.28", "after": "1.29"}


def test_the_table_ends_with_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "connect", lambda asked: dependencies_of(described({"addon": {"role_arn": None}})))
    result = run("--cluster", "demo")
    assert result.exit_code == 1
    assert result.stdout.rstrip().endswith("aws-node loses its role, or the change fails. 1 error · exit code 1")


def test_the_help_has_an_example() -> None:
    assert "Example: irsa-remediator preflight" in run("--help").stdout
