"""`make deploy-local` from the command line: the repair by the deployed functions, and what is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import psutil

ROOT: Final = Path(__file__).resolve().parents[2]
COMMAND: Final = [sys.executable, "-m", "sandbox.local_deployment"]
WAIT_S: Final = 400


def _start(temporary: str) -> subprocess.Popen[str]:
    environment = os.environ | {"TMPDIR": temporary, "COLUMNS": "160", "HOME": temporary}
    return subprocess.Popen(
        COMMAND, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def _processes_in(folder: str) -> list[str]:
    """Command lines of running programs that name this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
        except psutil.Error:  # it has ended
            continue
        if folder in command:
            found.append(command)
    return found


def test_the_deployed_functions_repair_the_incident_and_nothing_is_left() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        started = _start(temporary)
        said = started.communicate(timeout=WAIT_S)[0]
        assert started.returncode == 0, said
        assert "different from AWS" in said
        assert ", 0 refuted, " in said
        assert "verified" in said.lower()
        assert "matched UpdateAddon" in said
        assert "left in the account: 0 of " in said
        assert "left in the account: 0 of 0 " not in said
        assert [path.name for path in Path(temporary).iterdir() if path.name.startswith("deploy-local-")] == []


def test_an_interrupt_leaves_no_process_and_no_file() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        started = _start(temporary)
        assert started.stdout is not None
        for line in started.stdout:
            if "cdk bootstrap" in line:
                break
        assert _processes_in(temporary) != []
        os.killpg(started.pid, signal.SIGINT)
        said = started.communicate(timeout=WAIT_S)[0]
        assert started.returncode == 130, said
        assert "interrupted" in said
        assert _processes_in(temporary) == []
        assert [path.name for path in Path(temporary).iterdir() if path.name.startswith("deploy-local-")] == []
