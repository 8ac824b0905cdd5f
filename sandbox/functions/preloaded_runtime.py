"""Execution environments forked from a process that has imported the function's modules, because imports dominate a cold start.

The emulator starts `command` like the runtime client. That process passes its output, variables and process group to a fork, which
runs the real runtime client with them. Both are in one process group, so a signal to the group ends the function at once.

Differs from Lambda: modules are imported before the function's variables exist, and once for all environments.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from functools import cache
from typing import TYPE_CHECKING

from sandbox.functions import fork_server, process_reaper
from sandbox.functions.rie import client_module

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PROGRAM = [sys.executable, "-S", "-P", fork_server.__file__]
_starting = threading.Lock()


def command(handler: str, asset: Path, variables: Mapping[str, str]) -> list[str]:
    """The command that runs this handler of this asset; the first call starts the process to fork from, which ends with this one."""
    with _starting:
        folder = _serving(handler.rpartition(".")[0], asset, variables["PYTHONPATH"], os.getpid())
    return [*_PROGRAM, "ask", f"{folder.name}/socket", handler, client_module()]


@cache
def _serving(module: str, asset: Path, path: str, _parent: int) -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="preloaded-")  # private, because a client of the socket can run code
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder.name}/socket")
        listener.listen()
        process = subprocess.Popen(
            [*_PROGRAM, "serve", str(listener.fileno()), module],
            cwd=asset,
            env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "LANG": "en_US.UTF-8"},
            pass_fds=[listener.fileno()],
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
    process_reaper.watch(process.pid)
    return folder
