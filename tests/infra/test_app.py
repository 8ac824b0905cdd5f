"""`app.py` as a user runs it: without Node.js on the machine, without warnings, with readable errors."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

import app
from infra.nodejs import packaged_node
from tests.infra.templates import ROOT


def test_it_synthesizes_on_a_machine_without_node_and_without_warnings(tmp_path: Path) -> None:
    nowhere = tmp_path / "bin"
    nowhere.mkdir()
    environment = {
        "PATH": str(nowhere),  # a machine without Node
        "CDK_OUTDIR": str(tmp_path / "out"),
        "CDK_CONTEXT_JSON": '{"bundle": false, "nag": false}',
        "HOME": os.environ["HOME"],  # CDK unpacks itself there
    }
    ended = subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "EksIrsaRemediator.template.json").is_file()
    for word in ("WARN", "end-of-life", "end of life", "deprecated", "untested"):
        assert word not in ended.stderr + ended.stdout, ended.stderr


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], int]:
    """Run the program in this process with a context and return its exit code."""

    def main(context: dict[str, Any]) -> int:
        made = cdk.App(context=context, outdir=str(tmp_path / "out"))
        monkeypatch.setattr("app.cdk.App", lambda: made)
        return app.main()

    return main


def test_it_takes_several_environments_from_a_file(run: Callable[[dict[str, Any]], int], tmp_path: Path) -> None:
    places = [{"name": name, "account": "111122223333", "region": name} for name in ("eu-west-1", "us-east-1")]
    (tmp_path / "many.yaml").write_text(json.dumps({"environments": places}))
    assert run({"bundle": False, "config": str(tmp_path / "many.yaml")}) == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.template.json")) == [
        "EksIrsaRemediator-eu-west-1.template.json",
        "EksIrsaRemediator-us-east-1.template.json",
    ]


def test_an_invalid_configuration_prints_its_problems_without_traceback(
    run: Callable[[dict[str, Any]], int], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run({"bundle": False, "remediator": {"environments": [{"account": "1", "regions": "x"}]}}) == 1
    said = capfd.readouterr().err
    assert said.splitlines()[0] == "The configuration is invalid."
    assert "environments[0].account: '1' is not allowed; allowed: twelve digits" in said
    assert "environments[0].regions: 'x' is not allowed; allowed: the keys" in said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("*.template.json"))


def test_a_file_and_a_context_together_are_rejected(run: Callable[[dict[str, Any]], int], capfd: pytest.CaptureFixture[str]) -> None:
    assert run({"config": "deploy.yaml", "remediator": {}}) == 1
    assert "a file or the context key `remediator`, not both" in capfd.readouterr().err


def test_the_packaged_node_is_executable() -> None:
    node = packaged_node()
    assert node is not None
    assert os.access(node, os.X_OK)
