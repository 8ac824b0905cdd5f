"""A piece of work in a process of its own, so that its CPU time and peak memory are its own too."""

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

from benchmarks.measure import Cost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REPOSITORY = Path(__file__).resolve().parent.parent


class ChildFailed(RuntimeError):
    """The work did not come to its end; says what the process wrote last."""


def in_child(work: str, arguments: Mapping[str, Any], environment: Mapping[str, str]) -> Cost:
    """Run `module:function` of this package with the arguments; it returns a `Cost`, to which the peak memory is added.

    Raises:
        ChildFailed: it raised.
    """
    return Cost(**answered("benchmarks.child", work, arguments, environment))


def answered(program: str, work: str, arguments: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """What a module of this package, run as a program, says of the work.

    Raises:
        ChildFailed: it raised.
    """
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PYTHON", "PATH", "LANG"))}
        command = [sys.executable, "-m", program, work, json.dumps(arguments), str(answer)]
        done = subprocess.run(
            command, cwd=REPOSITORY, env={**kept, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        if done.returncode:
            raise ChildFailed(f"{work}: {done.stderr.decode(errors='replace')[-2000:]}")
        found: dict[str, Any] = json.loads(answer.read_text())
        return found


def named(work: str) -> Callable[..., Cost]:
    """The function that `module:function` names."""
    module, _, name = work.partition(":")
    found: Callable[..., Cost] = getattr(importlib.import_module(module), name)
    return found


def main(work: str, arguments: str, answer: str) -> None:
    """The child's side."""
    cost: Cost = named(work)(**json.loads(arguments))
    # Not `ru_maxrss`, which a child inherits from its parent.
    peak_kib = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    peak_mb = int(peak_kib[1]) * 1024 / 1e6 if peak_kib else 0.0
    Path(answer).write_text(json.dumps({"wall_ms": cost.wall_ms, "cpu_ms": cost.cpu_ms, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main(*sys.argv[1:])
