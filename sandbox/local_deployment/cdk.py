"""Runs the project's pinned CDK command line, with its last line as progress."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.asset import CACHE, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.control_plane.processes import ProcessGroup, Program

PROGRAM: Final = REPOSITORY / "node_modules" / ".bin" / "cdk"

_POLL_S: Final = 0.1
_LINES_SHOWN: Final = 25


class CdkFailed(Exception):
    """A CDK command failed; the message has the end of its output."""


class CdkMissing(Exception):
    """The CDK command line is not installed; the message names the next step."""


class Cdk:
    """The command line with the variables that point it to one account.

    Args:
        processes: the group in which the commands run, so that they end with this process.
        variables: credentials, endpoint and region.
        on_line: called with the last line of the output when it changes.
    """

    def __init__(self, processes: ProcessGroup, variables: Mapping[str, str], on_line: Callable[[str], None]) -> None:
        if not PROGRAM.exists():
            raise CdkMissing("the CDK command line is not installed; `make node_modules/.bin/cdk` fetches it from the npm registry")
        self._processes = processes
        self._variables = clean_variables(processes.folder) | {name: value for name, value in variables.items() if value}
        self._on_line = on_line

    def run(self, command: str, *arguments: str) -> str:
        """Run a command in the project's folder and return its output.

        Raises:
            CdkFailed: its status is not 0.
        """
        words = [str(PROGRAM), command, *arguments, "--no-notices", "--no-color"]
        program = self._processes.start(f"cdk-{command}", words, self._variables, is_isolated=True, folder=REPOSITORY)
        status, said = run_to_end(program, self._on_line)
        if status != 0:
            raise CdkFailed(f"`cdk {command}` failed:\n" + "\n".join(said.strip().splitlines()[-_LINES_SHOWN:]))
        return said


def run_to_end(program: Program, on_line: Callable[[str], None]) -> tuple[int, str]:
    """Wait for the end of a program; returns its status and its output. Its last line is reported when it changes."""
    last = ""
    while program.process.poll() is None:
        time.sleep(_POLL_S)
        line = _last_line(program.log)
        if line != last:
            on_line(line)
            last = line
    return program.process.returncode, program.log.read_text(encoding="utf-8", errors="replace")


def clean_variables(folder: Path) -> dict[str, str]:
    """The variables of this process without any of AWS, so that no profile or account of the caller is used.

    CDK's own files go to the temporary folder, and the unpacked libraries to the project's cache. Sources:
    https://docs.aws.amazon.com/cdk/v2/guide/cli-telemetry.html
    https://github.com/aws/jsii/blob/main/packages/%40jsii/kernel/src/tar-cache/default-cache-root.ts
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CDK_"))}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "CDK_HOME": str(folder / "cdk-home"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(CACHE / "jsii"),
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
