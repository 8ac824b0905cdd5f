"""A control plane leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.control_plane.binaries import REPOSITORY, Binaries
from sandbox.control_plane.control_plane import ControlPlane
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="looks for left-over processes in /proc")
# A shell that runs the tests in its background lets them ignore Ctrl-C, and what they start inherits that.
KEEPER = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
from sandbox.control_plane.binaries import find
from sandbox.control_plane.control_plane import ControlPlane
with ControlPlane(find()) as running:
    print(running.workplace.folder, flush=True)
    time.sleep(60)
"""


def _programs_in(folder: str) -> list[str]:
    """Command lines of processes that mention the folder, but for ours."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if folder in line and int(process.name) != os.getpid():
            found.append(line)
    return found


def test_a_control_plane_leaves_nothing_behind(binaries: Binaries) -> None:
    with ControlPlane(binaries) as running:
        folder = str(running.workplace.folder)
        assert len(_programs_in(folder)) >= 6
    assert not Path(folder).exists()
    assert _programs_in(folder) == []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["Ctrl-C", "terminated", "killed"])
def test_no_process_outlives_the_program_that_started_it(binaries: Binaries, end: signal.Signals) -> None:
    assert not binaries.missing
    parent = subprocess.Popen([sys.executable, "-c", KEEPER], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert parent.stdout is not None
    folder = parent.stdout.readline().strip()
    assert len(_programs_in(folder)) >= 6
    parent.send_signal(end)
    parent.wait(timeout=60)
    parent.stdout.close()
    eventually(lambda: _programs_in(folder), lambda left: not left)
    eventually(lambda: Path(folder).exists(), lambda there: not there)
