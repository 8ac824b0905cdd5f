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
from tests.infra.templates import MINIMAL, ROOT, app_of

CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]


def synthesize(folder: Path, context: dict[str, Any], **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the program on a machine without Node."""
    nowhere = folder / "bin"
    nowhere.mkdir(parents=True)
    variables = {
        "PATH": str(nowhere),
        "CDK_OUTDIR": str(folder / "out"),
        "CDK_CONTEXT_JSON": json.dumps({"bundle": False, "nag": False, **context}),
        "HOME": os.environ["HOME"],  # CDK unpacks itself there
        **environment,
    }
    return subprocess.run([sys.executable, "app.py"], cwd=ROOT, env=variables, capture_output=True, text=True, check=False)


def test_it_synthesizes_as_the_cdk_command_line_does_and_without_warnings(tmp_path: Path) -> None:
    """The command line passes the context of `cdk.json` in a variable; `make synth` does without it.

    Source: https://github.com/aws/aws-cdk-cli/blob/main/packages/%40aws-cdk/toolkit-lib/lib/api/cloud-assembly/environment.ts
    """
    environment = {"notify": {"mail": ["a@example.com"]}, "clusters": [{"name": "a"}], "event_publishers": []}
    templates = []
    for name, context in {"make": {}, "cdk": CONTEXT}.items():
        ended = synthesize(tmp_path / name, {**context, "nag": True, "remediator": {"environments": [environment]}})
        assert ended.returncode == 0, ended.stderr
        said = [line for line in (ended.stderr + ended.stdout).splitlines() if "have no byte code" not in line]  # needs Python 3.13
        for word in ("WARN", "end-of-life", "end of life", "deprecated", "untested"):
            assert not [line for line in said if word in line], ended.stderr
        templates.append((tmp_path / name / "out" / "EksIrsaRemediator.template.json").read_bytes())
    assert templates[0] == templates[1]


def test_every_feature_flag_of_cdk_is_configured(tmp_path: Path) -> None:
    """The CDK command line reports flags without a value at each synthesis. A new version of CDK may have new ones: decide on each."""
    app_of(MINIMAL, tmp_path).synth()
    (report,) = tmp_path.glob("manifest.json")
    artifacts = json.loads(report.read_text(encoding="utf-8"))["artifacts"].values()
    (flags,) = (artifact["properties"]["flags"] for artifact in artifacts if artifact["type"] == "cdk:feature-flag-report")
    assert not [name for name, flag in flags.items() if "userValue" not in flag]


def test_chat_in_the_region_of_the_caller_is_refused_with_and_without_the_cdk_command_line(tmp_path: Path) -> None:
    remediator = {"environments": [{"notify": {"slack": {"workspace": "T07EA123LEP", "channel": "C07EZ1ABC23"}}}]}
    ended = [
        synthesize(tmp_path / name, {**context, "remediator": remediator}, CDK_DEFAULT_REGION="us-gov-west-1")
        for name, context in {"make": {}, "cdk": CONTEXT}.items()
    ]
    assert [item.returncode for item in ended] == [1, 1]
    assert ended[0].stderr == ended[1].stderr
    assert "environments[0].notify.slack: 'C07EZ1ABC23' is not allowed; allowed: mail or https in us-gov-west-1" in ended[0].stderr
    assert not list(tmp_path.rglob("*.template.json"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], int]:
    """Run the program in this process with a context and return its exit code."""

    def main(given: dict[str, Any]) -> int:
        made = cdk.App
        monkeypatch.setattr("app.cdk.App", lambda context: made(context={**context, **given}, outdir=str(tmp_path / "out")))
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
