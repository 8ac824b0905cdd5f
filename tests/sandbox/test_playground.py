"""The playground: the five commands of its tour, typed into the shell, and what is left after `exit`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
import pytest

from sandbox.simulation.playground import PROMPT
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.sandbox

ROOT: Final = Path(__file__).resolve().parents[2]
MARK: Final = "--- next"
LONGEST_S: Final = 400


def play(*commands: str, shell: str = "/bin/sh", arguments: tuple[str, ...] = ()) -> tuple[str, list[str]]:
    """Type the commands into the shell of a playground. Returns what it showed before the first one, and the output of each."""
    typed = "".join(f"echo '{MARK}'\n{command}\n" for command in commands)
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.simulation", "--keep", *arguments],
        cwd=ROOT,
        env={**os.environ, "SHELL": shell, "COLUMNS": "120", "NO_COLOR": "1", "AWS_PROFILE": "of-a-person"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    output, _ = process.communicate(typed, timeout=LONGEST_S)
    assert process.returncode == 0, output
    eventually(lambda: list(_session(process.pid)), lambda found: found == [], 30)
    first, *others = output.split(f"{MARK}\n")
    return first, others


def _session(leader: int) -> Iterator[psutil.Process]:
    """The processes of a session."""
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue


def tour(shown: str) -> list[str]:
    """The numbered commands of the tour, each as one line."""
    return [re.sub(r"\\\n +", "", command) for command in re.findall(r"^  \d  ((?:.+\\\n)*.+)$", shown, re.MULTILINE)]


@pytest.mark.skipif(not all(map(shutil.which, ("aws", "kubectl"))), reason="aws or kubectl is not installed")
def test_the_five_commands_of_the_tour_work_in_the_shell() -> None:
    first, _ = play("exit")
    check, pods, update, watch, history = tour(first)
    waits = "until irsa-remediator history | grep -q verified; do sleep 1; done"
    followed = watch.replace("--watch", "--wait 120")
    _, (checked, listed, updated, _, found, incidents, _) = play(check, pods, update, waits, followed, history, "exit 7")
    assert "Healthy:" in checked
    assert len(re.findall(r"^aws-node-\w+ +2/2 +Running", listed, re.MULTILINE)) == 12
    assert '"type": "AddonUpdate"' in updated
    assert "Healthy:" in found
    assert re.search(r"demo +aws-node +addon-role-missing +verified", incidents)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_finds_the_commands_of_the_playground_first_and_no_account_of_the_person() -> None:
    lines = ("command -v irsa-remediator", "echo $AWS_PROFILE", "echo $PS1", "tour", "irsa-remediator check --all -o json | head -c 1")
    first, (where, profile, _, again, document) = play(*lines, shell=str(shutil.which("bash")))
    assert "irsa-playground-" in where
    assert profile.strip() == ""
    assert again.strip() in first
    assert document == "{"
    assert PROMPT not in where, "a shell without a terminal prints no prompt"


def test_a_scenario_is_played_before_the_shell_opens() -> None:
    first, (history,) = play("irsa-remediator history", arguments=("annotation-missing",))
    assert "repaired and verified" in first
    assert re.search(r"annotation-missing +verified", history)


def test_all_scenarios_cannot_be_kept() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "sandbox.simulation", "all", "--keep"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "--keep needs one scenario, or none" in refused.stderr
