"""The GitHub Action, the GitLab job and the pre-commit hook: their scripts run, with the command of this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
import yaml

from tests.unit.preflight.plan_builder import WORKER_POLICY, PlanBuilder, role_arn

ROOT = Path(__file__).parents[3]
RIGHT = PlanBuilder().addon(after={"service_account_role_arn": role_arn("cni")}).json()
WRONG = PlanBuilder().addon(after={}).nodes(WORKER_POLICY).json()
UNKNOWN = PlanBuilder().addon(after={}, unknown=("service_account_role_arn",)).json()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with plans, and the command on the path."""
    command = tmp_path / "bin" / "irsa-remediator"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexport PYTHONPATH="{ROOT}"\nexec "{sys.executable}" -m cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    for name, text in {"right": RIGHT, "wrong": WRONG, "unknown": UNKNOWN, "empty": ""}.items():
        (tmp_path / f"{name}.json").write_text(text, encoding="utf-8")
    return tmp_path


def run(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script as the runners do: bash, ending at the first error."""
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "HOME": str(folder), **variables}
    return subprocess.run(  # scripts of this repository
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("plan", "allow_unknown", "codes"),
    [
        ("right", "true", (0, "0")),
        ("wrong", "true", (1, "1")),
        ("unknown", "true", (0, "2")),
        ("unknown", "false", (2, "2")),
        ("empty", "true", (3, "3")),
    ],
)
def test_the_action_annotates_and_fails_by_the_threshold(folder: Path, plan: str, allow_unknown: str, codes: tuple[int, str]) -> None:
    action = load("action.yml")
    step = action["runs"]["steps"][-1]
    given = {"paths": "", "arguments": f"--terraform-plan {plan}.json", "allow-unknown": allow_unknown, "sarif-file": "out.sarif"}
    inputs = {name: given.get(name, str(described["default"])) for name, described in action["inputs"].items()}
    variables = {name: inputs[value.removeprefix("${{ inputs.").removesuffix(" }}")] for name, value in step["env"].items()}
    output = folder / "output"
    result = run(step["run"], folder, GITHUB_OUTPUT=str(output), **variables)
    assert (result.returncode, output.read_text(encoding="utf-8")) == (codes[0], f"exit-code={codes[1]}\n"), result.stderr
    assert ("::error" in result.stdout) is (plan in ("wrong", "empty"))
    assert '"version": "2.1.0"' in (folder / "out.sarif").read_text(encoding="utf-8")


def test_the_action_takes_paths_one_a_line(folder: Path) -> None:
    step = load("action.yml")["runs"]["steps"][-1]
    variables = {"PATHS": "right.json\nwrong.json", "ARGUMENTS": "", "FAIL_ON": "error", "ALLOW_UNKNOWN": "true", "SARIF": ""}
    result = run(step["run"], folder, GITHUB_OUTPUT=str(folder / "o"), **{f"PREFLIGHT_{name}": value for name, value in variables.items()})
    assert result.returncode == 1
    assert "::error file=wrong.json,title=EIR101 role-missing" in result.stdout


@pytest.mark.parametrize(("plan", "code"), [("right", 0), ("wrong", 1), ("unknown", 2)])
def test_the_gitlab_job_writes_a_test_report(folder: Path, plan: str, code: int) -> None:
    job = load(".gitlab/preflight.yml")["irsa-preflight"]
    result = run("\n".join(job["script"]), folder, **(job["variables"] | {"PREFLIGHT_ARGUMENTS": f"--terraform-plan {plan}.json"}))
    assert result.returncode == code, result.stderr
    report = fromstring((folder / job["artifacts"]["reports"]["junit"]).read_text(encoding="utf-8"))  # noqa: S314  # our own output
    assert len(list(report)) == 1
    assert job["allow_failure"]["exit_codes"] == [2]


def test_the_hook_skips_files_of_other_kinds(folder: Path) -> None:
    (hook,) = load(".pre-commit-hooks.yaml")
    (folder / "values.yaml").write_text("a: 1", encoding="utf-8")
    assert run(f"{hook['entry']} values.yaml right.json", folder).returncode == 0
    assert run(f"{hook['entry']} values.yaml wrong.json", folder).returncode == 1
