"""Starts, pauses and ends the programs of the control plane, in a folder and a process group that end with this process."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

REAPER_SCRIPT = Path(__file__).with_name("process_reaper.py")
LOG_LINES_SHOWN = 15


class StartError(RuntimeError):
    """A program ended or did not become ready; the message contains the end of its log."""


def listens(port: int) -> bool:
    """Whether a process accepts connections on this loopback port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass
class Program:
    """One running program and the file of its output."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise StartError if the program has ended."""
        if self.process.poll() is not None:
            raise StartError(f"{self.name} ended with status {self.process.returncode}:\n{self.log_tail()}")

    def log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:])

    def wait_until(self, ready: Callable[[], bool], within_s: float, every_s: float = 0.05) -> None:
        """Poll until `ready` returns true.

        Raises:
            StartError: the program ended or the time is over.
        """
        give_up = time.monotonic() + within_s
        while not ready():
            self.check()
            if time.monotonic() > give_up:
                raise StartError(f"{self.name} was not ready after {within_s:.0f} s:\n{self.log_tail()}")
            time.sleep(every_s)

    def pause(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the program at once, as a failing machine does; connections break."""
        self.process.kill()
        self.process.wait()

    def resident_mib(self) -> float:
        """Memory in use."""
        try:
            return float(psutil.Process(self.process.pid).memory_info().rss / 2**20)
        except psutil.NoSuchProcess:
            return 0.0


@dataclass
class ProcessGroup:
    """A temporary folder and a process group; a guardian process empties both when this one ends."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="control-plane-")))

    def __post_init__(self) -> None:
        self._programs: list[Program] = []
        self._reaper = subprocess.Popen(
            [sys.executable, "-I", str(REAPER_SCRIPT), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,  # so that Ctrl-C in the terminal reaches only this process
        )
        assert self._reaper.stdout is not None  # noqa: S101 - set by PIPE
        self._group = int(self._reaper.stdout.readline())

    def start(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str] | None = None,
        *,
        is_isolated: bool = False,
        folder: Path | None = None,
    ) -> Program:
        """Start a program in a folder, by default that of the group; a second start with the same name appends to the same log.

        An isolated program has no environment variable of this process.
        """
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder or self.folder,
                env=({} if is_isolated else dict(os.environ)) | dict(environment or {}),
                process_group=self._group,
            )
        program = Program(name, process, log)
        self._programs.append(program)
        return program

    def programs(self) -> tuple[Program, ...]:
        """All started programs, oldest first."""
        return tuple(self._programs)

    def close(self) -> None:
        """Kill the programs and remove the folder; can be called again."""
        for program in self._programs:
            program.kill()
        self._programs.clear()
        self._reaper.communicate()  # closes its input, which is what it waits for
