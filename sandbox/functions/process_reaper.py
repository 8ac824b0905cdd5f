"""Ends the emulators of a program that is gone, however it went: a warden process outlives it and waits for its pipe to end.

The kernel closes the pipe on any end of the parent, `kill -9` included. A parent-death signal would not do: Linux sends it when the
*thread* that forked ends, and environments are started in threads that come and go.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_lock = threading.Lock()
_wardens: dict[int, subprocess.Popen[str]] = {}


def watch(pid: int) -> None:
    """Let a process and its children be killed when this program ends without having called `forget`."""
    _tell(f"+{pid}")


def forget(pid: int) -> None:
    """The process has ended; its number may be another's soon."""
    _tell(f"-{pid}")


def end(pid: int) -> None:
    """Kill a process and its children, which may have a process group of their own."""
    for item in (pid, *children_of(pid)):
        kill(item)


def kill(pid: int) -> None:
    """Kill a process, with its process group where it leads one."""
    with suppress(ProcessLookupError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)


def children_of(pid: int) -> list[int]:
    """Ids of a process's children; none where it has ended."""
    found: list[int] = []
    with suppress(FileNotFoundError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError):
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _tell(line: str) -> None:
    with _lock:
        own = os.getpid()  # a forked program has a warden of its own
        if own not in _wardens:
            command = [sys.executable, "-I", "-S", __file__]
            _wardens[own] = subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True)
        stdin = _wardens[own].stdin
        assert stdin is not None  # noqa: S101  # asked for above
        stdin.write(f"{line}\n")
        stdin.flush()


def left_over(lines: Iterable[str]) -> set[int]:
    """Processes that were to be watched and not to be forgotten."""
    watched: set[int] = set()
    for line in lines:
        (watched.add if line[0] == "+" else watched.discard)(int(line[1:]))
    return watched


def main() -> None:
    """Wait for the pipe to end, then end what is left."""
    for unwanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(unwanted, signal.SIG_IGN)
    for pid in left_over(sys.stdin):
        end(pid)


if __name__ == "__main__":
    main()
