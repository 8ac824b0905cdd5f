"""The demo on a machine without the binary of AWS's emulator and without its compiled client, such as a Mac."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from sandbox.simulation.environment import WITHOUT_EMULATOR

pytestmark = pytest.mark.sandbox

ROOT: Final = Path(__file__).resolve().parents[2]
ON_A_MAC: Final = """
import importlib.metadata, platform, sys
platform.system = lambda: "Darwin"
platform.machine = lambda: "arm64"
installed = importlib.metadata.distribution
def distribution(name):
    if name == "awslambdaric":
        raise importlib.metadata.PackageNotFoundError(name)
    return installed(name)
importlib.metadata.distribution = distribution
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ON_A_MAC + program, *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=False, timeout=400)


@pytest.mark.parametrize("scenario", ["addon-role-missing", "role-of-another-account"])
def test_a_scenario_ends_as_expected_and_says_what_replaces_the_emulator(scenario: str) -> None:
    done = run("from sandbox.simulation.__main__ import main\nsys.exit(main(sys.argv[1:]))", scenario)
    assert done.returncode == 0, done.stdout + done.stderr
    reason = "the Lambda emulator is a Linux binary for x86_64 or aarch64, this is Darwin on arm64"
    assert f"{WITHOUT_EMULATOR} ({reason})" in done.stdout


def test_the_command_line_plays_a_scenario_without_the_compiled_client() -> None:
    program = (
        "import importlib.util\nfind = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'awslambdaric' else find(name, *rest)\n"
        "from cli.main import main\nsys.argv[0] = 'irsa-remediator'\nmain()"
    )
    done = run(program, "simulate", "annotation-missing", "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["run"]["outcome"] == "verified"
