"""Where a piece of work spends its processor time, by layer, as Python's own profiler counts it."""

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

from benchmarks.child import answered, named
from lambdas.application import snapshot_collection
from sandbox.at_once import AtOnce

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORTH_TELLING: Final = 0.02
_LAYERS: Final = {
    "/botocore/auth.py": "signing",
    "/botocore/": "botocore",
    "/lambdas/domain/": "our decision",
    "/lambdas/checker/": "our handler",
    "/lambdas/adapters/": "our adapters",
    "/urllib3/": "HTTP",
    "/http/client.py": "HTTP",
    "/email/": "HTTP",
    "/ssl.py": "HTTP",
    "/json/": "JSON",
}
"""Part of a file's path -> the layer. What has none is put down to its callers: a sort of ours is ours."""
_MOST_CALLS_DEEP: Final = 40

Function = tuple[str, int, str]
Callers = dict[Function, tuple[int, int, float, float]]


def where(work: str, arguments: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Shares of the processor's time by layer, most first, in words. The work runs in a process of its own, and in one thread.

    Raises:
        ChildFailed: it raised.
    """
    used = answered("benchmarks.profiled", work, arguments, environment)
    whole = sum(used.values())
    told = sorted(((seconds / whole, name) for name, seconds in used.items()), reverse=True)
    return ", ".join(f"{name} {share:.0%}" for share, name in told if share >= _WORTH_TELLING)


def by_layer(stats: Mapping[Function, tuple[int, int, float, float, Callers]]) -> dict[str, float]:
    """Seconds of each function alone, handed from callee to caller until one has a layer."""
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
    """The child's side: the whole work, whose repetitions outweigh its first time; its modules are loaded before."""
    run, asked = named(work), json.loads(arguments)
    profile = cProfile.Profile(time.thread_time)
    with patch.object(snapshot_collection, "ThreadPoolExecutor", AtOnce):  # a profiler sees its own thread alone
        profile.runcall(run, **asked)
    Path(answer).write_text(json.dumps(by_layer(pstats.Stats(profile).stats)))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
