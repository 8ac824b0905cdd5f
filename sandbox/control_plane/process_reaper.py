"""Kills the processes of the control plane and removes its folder when the program that started them has ended.

Run as `python process_reaper.py FOLDER`. It prints the id of a process group for the programs, and waits for the end of its
standard input. The kernel closes that pipe on any end of the parent: a return, Ctrl-C, `kill -9`. A parent-death signal does not
work: Linux sends it when the *thread* that forked ends, and macOS has none.
"""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

GIVE_UP_S = 10.0


def main(folder: str) -> None:
    for unwanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwanted, signal.SIG_IGN)
    group = _group_of_its_own()
    print(group, flush=True)
    sys.stdin.buffer.read()
    _kill(group)
    _remove(Path(folder))


def _group_of_its_own() -> int:
    """Fork a process that only keeps the group and its id in use."""
    anchor = os.fork()
    if anchor == 0:
        os.setpgid(0, 0)
        while True:
            signal.pause()
    os.setpgid(anchor, anchor)  # both processes set it, so that it is set whichever runs first
    return anchor


def _kill(group: int) -> None:
    os.killpg(group, signal.SIGKILL)  # also ends a process that SIGSTOP paused
    os.waitpid(group, 0)
    give_up = time.monotonic() + GIVE_UP_S
    while time.monotonic() < give_up:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)


def _remove(folder: Path) -> None:
    """A killed process may still finish a write, so one pass can find the folder not empty."""
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1])
