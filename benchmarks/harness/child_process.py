"""Runs a function in a child process, so that its CPU time and peak memory can be measured."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.harness.measurement import Cost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPOSITORY = Path(__file__).resolve().parents[2]


class ChildFailed(RuntimeError):
    """The child process failed; the message holds the end of its standard error."""


def run_in_child(work: str, arguments: Mapping[str, Any], environment: Mapping[str, str]) -> Cost:
    """Return the cost of `module:function`, with the peak memory of the child process.

    Raises:
        ChildFailed: the function raised.
    """
    return Cost(**call_in_child("benchmarks.harness.child_process", work, arguments, environment))


def call_in_child(program: str, work: str, arguments: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Run `program` as a module with the function's name and arguments, and return the JSON that it writes.

    Raises:
        ChildFailed: the program failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        inherited = {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "PATH", "LANG"))}
        command = [sys.executable, "-m", program, work, json.dumps(arguments), str(answer)]
        completed = subprocess.run(
            command, cwd=REPOSITORY, env={**inherited, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        if completed.returncode:
            raise ChildFailed(f"{work}: {completed.stderr.decode(errors='replace')[-2000:]}")
        found: dict[str, Any] = json.loads(answer.read_text())
        return found


def load_function(work: str) -> Callable[..., Cost]:
    """Return the function named by `module:function`."""
    module, _, name = work.partition(":")
    found: Callable[..., Cost] = getattr(importlib.import_module(module), name)
    return found


def main(work: str, arguments: str, answer: str) -> None:
    """Run the function in the child process and write its cost."""
    cost: Cost = load_function(work)(**json.loads(arguments))
    # Not `ru_maxrss`, which a child inherits from its parent.
    peak_kib = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    peak_mb = int(peak_kib[1]) * 1024 / 1e6 if peak_kib else 0.0
    Path(answer).write_text(json.dumps({"wall_ms": cost.wall_ms, "cpu_ms": cost.cpu_ms, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main(*sys.argv[1:])
