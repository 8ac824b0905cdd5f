"""The process reaper ends the emulators of a program that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sandbox.functions.process_reaper import children_of, remaining_pids

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys, time
from pathlib import Path
from sandbox.functions.execution_environment import Environment
from sandbox.functions.function import Function
checker = Function(name="checker", asset=Path(sys.argv[1]), handler="handlers.plain", preloaded=sys.argv[2] == "True")
running = Environment(checker)
running.start()
print(running.invoke(b"{}").json()["pid"], running._process.pid, *running.pids(), flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("preloaded", [False, True])
def test_a_program_that_is_killed_leaves_no_emulator_behind(functions: Path, preloaded: bool) -> None:
    command = [sys.executable, "-c", PROGRAM, str(functions), str(preloaded)]
    program = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    started = [int(part) for part in program.stdout.readline().split()]
    assert len(started) >= 2
    assert all(map(alive, started))
    program.send_signal(signal.SIGKILL)
    program.wait()
    until = time.monotonic() + 60
    while any(map(alive, started)) and time.monotonic() < until:
        time.sleep(0.05)
    assert [item for item in started if alive(item)] == []
    program.stdout.close()


def test_a_forgotten_process_is_not_killed() -> None:
    assert remaining_pids(["+11\n", "+12\n", "-11\n"]) == {12}


def test_a_process_that_has_ended_has_no_children() -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    assert children_of(child.pid) == []
    assert child.pid not in children_of(os.getpid())
