"""Shares of CPU time by layer, measured by cProfile."""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

from benchmarks.harness.child_process import call_in_child, load_function
from lambdas.checker import handler
from sandbox.inline_executor import InlineExecutor

if TYPE_CHECKING:
    from collections.abc import Mapping

_SMALLEST_SHARE: Final = 0.02
_LAYERS: Final = {
    "/botocore/auth.py": "signing",
    "/botocore/": "botocore",
    "/lambdas/domain/": "domain",
    "/lambdas/application/": "application",
    "/lambdas/checker/": "handler",
    "/lambdas/adapters/": "adapters",
    "/urllib3/": "HTTP",
    "/http/client.py": "HTTP",
    "/email/": "HTTP",
    "/ssl.py": "HTTP",
    "/json/": "JSON",
}
"""Part of a file's path -> layer. Functions without a layer, such as built-ins, count for their callers."""
_MOST_CALLS_DEEP: Final = 40

Function = tuple[str, int, str]
Callers = dict[Function, tuple[int, int, float, float]]


def cpu_shares(work: str, arguments: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return the CPU shares by layer as text, largest first. The function runs in a child process and in one thread.

    Raises:
        ChildFailed: the function raised.
    """
    used = call_in_child("benchmarks.harness.profiler", work, arguments, environment)
    total = sum(used.values())
    shares = sorted(((seconds / total, name) for name, seconds in used.items()), reverse=True)
    return ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= _SMALLEST_SHARE)


def by_layer(stats: Mapping[Function, tuple[int, int, float, float, Callers]]) -> dict[str, float]:
    """Return seconds by layer. The time of a function without a layer is passed to its callers until one has a layer."""
    found: defaultdict[str, float] = defaultdict(float)
    waiting = {function: own for function, (_, _, own, _, _) in stats.items()}
    for _ in range(_MOST_CALLS_DEEP):
        handed: defaultdict[Function, float] = defaultdict(float)
        for function, seconds in waiting.items():
            callers = stats[function][4] if function in stats else {}
            whole = sum(item[3] for item in callers.values())
            if (name := _layer(function)) or not whole:
                found[name or "the rest"] += seconds
                continue
            for caller, item in callers.items():
                handed[caller] += seconds * item[3] / whole
        waiting = handed
    found["the rest"] += sum(waiting.values())
    return dict(found)


def _layer(function: Function) -> str | None:
    return next((name for part, name in _LAYERS.items() if part in function[0]), None)


def main(work: str, arguments: str, answer: str) -> None:
    """Profile the function in the child process. Its modules are imported before."""
    function, parameters = load_function(work), json.loads(arguments)
    profile = cProfile.Profile(time.thread_time)
    with patch.object(handler, "ThreadPoolExecutor", InlineExecutor):  # cProfile sees one thread
        profile.runcall(function, **parameters)
    Path(answer).write_text(json.dumps(by_layer(pstats.Stats(profile).stats)))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
