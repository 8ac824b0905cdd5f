"""`app.py` as a person runs it: no Node of the machine, no warning, and errors in words."""

import json
import os
import subprocess
import sys
from pathlib import Path

from infra.node import packaged_node
from tests.infra.templates import ROOT


def run(tmp_path: Path, context: str) -> subprocess.CompletedProcess[str]:
    nowhere = tmp_path / "bin"
    nowhere.mkdir()
    environment = {
        "PATH": str(nowhere),  # a machine without Node
        "CDK_OUTDIR": str(tmp_path / "out"),
        "CDK_CONTEXT_JSON": context,
        "HOME": os.environ["HOME"],  # CDK unpacks itself there once
    }
    return subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_it_synthesizes_on_a_machine_without_node_and_warns_of_nothing(tmp_path: Path) -> None:
    ended = run(tmp_path, '{"bundle": false, "nag": false}')
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "out" / "EksIrsaRemediator.template.json").is_file()
    for word in ("WARN", "end-of-life", "end of life", "deprecated", "untested"):
        assert word not in ended.stderr + ended.stdout, ended.stderr


def test_it_takes_several_environments_from_a_file(tmp_path: Path) -> None:
    places = [{"name": name, "account": "111122223333", "region": name} for name in ("eu-west-1", "us-east-1")]
    (tmp_path / "many.yaml").write_text(json.dumps({"environments": places}))
    ended = run(tmp_path, json.dumps({"bundle": False, "config": str(tmp_path / "many.yaml")}))
    assert ended.returncode == 0, ended.stderr
    assert sorted(it.name for it in (tmp_path / "out").glob("*.template.json")) == [
        "EksIrsaRemediator-eu-west-1.template.json",
        "EksIrsaRemediator-us-east-1.template.json",
    ]


def test_a_wrong_configuration_ends_it_with_words_and_no_traceback(tmp_path: Path) -> None:
    ended = run(tmp_path, '{"bundle": false, "remediator": {"environments": [{"account": "1", "regions": "x"}]}}')
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0] == "The configuration cannot be deployed."
    assert "environments[0].account: '1' is not allowed; allowed: twelve digits" in ended.stderr
    assert "environments[0].regions: 'x' is not allowed; allowed: the keys" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.rglob("*.template.json"))


def test_a_file_and_a_context_are_not_both_taken(tmp_path: Path) -> None:
    ended = run(tmp_path, '{"config": "deploy.yaml", "remediator": {}}')
    assert ended.returncode == 1
    assert "a file or the context key `remediator`, not both" in ended.stderr


def test_the_packaged_node_is_there_and_can_be_run() -> None:
    node = packaged_node()
    assert node is not None
    assert os.access(node, os.X_OK)
