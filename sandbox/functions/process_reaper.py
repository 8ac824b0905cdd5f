"""Ends the emulators of a program that has ended: a reaper process outlives the program and waits for the end of its pipe.

The kernel closes the pipe on any end of the parent, including `kill -9`. A parent-death signal does not work: Linux sends it when the
*thread* that forked ends, and environments are started in short-lived threads.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

_lock = threading.Lock()
_reapers: dict[int, subprocess.Popen[str]] = {}


def watch(pid: int) -> None:
    """Kill a process and its children when this program ends without having called `forget`."""
    _send(f"+{pid}")


def forget(pid: int) -> None:
    """The process has ended, and its id may be reused."""
    _send(f"-{pid}")


def end(pid: int) -> None:
    """Kill a process and its children, which may have their own process group."""
    for item in (pid, *children_of(pid)):
        kill(item)


def kill(pid: int) -> None:
    """Kill a process, and its process group if it leads one."""
    with suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """Process ids of the children; empty if the process has ended."""
    with suppress(psutil.NoSuchProcess):
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def _send(line: str) -> None:
    with _lock:
        own = os.getpid()  # a forked program needs a reaper of its own
        if own not in _reapers:
            command = [sys.executable, "-I", __file__]
            _reapers[own] = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
        stdin = _reapers[own].stdin
        assert stdin is not None  # noqa: S101  # requested above
        stdin.write(f"{line}\n")
        stdin.flush()


def remaining_pids(lines: Iterable[str]) -> set[int]:
    """Registered processes that were not released."""
    watched: set[int] = set()
    for line in lines:
        (watched.add if line[0] == "+" else watched.discard)(int(line[1:]))
    return watched


def main() -> None:
    """Wait for the end of the pipe, then kill the remaining processes."""
    for unwanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwanted, signal.SIG_IGN)
    for pid in remaining_pids(sys.stdin):
        end(pid)


if __name__ == "__main__":
    main()
