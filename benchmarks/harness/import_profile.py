"""Shares of the elapsed time of a cold start: imports by origin, and the rest of the first check."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_CODE: Final = """
import importlib, json, sys, time
began = time.perf_counter()
module, _, name = sys.argv[1].rpartition(".")
handler = getattr(importlib.import_module(module), name)
result = handler(json.loads(sys.argv[2]), None)
print(json.dumps({"result": result, "took_s": time.perf_counter() - began}))
"""
_LINE: Final = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)$")
_PRODUCT: Final = "imports of the product"
_PACKAGES: Final = "imports of packages"
_STANDARD_LIBRARY: Final = "imports of the standard library"


def cold_start_shares(asset: Path, handler: str, event: bytes, environment: Mapping[str, str]) -> str:
    """Return the shares of a new process that imports the handler and runs it once, largest first.

    Raises:
        CalledProcessError: the function raised.
    """
    command = [sys.executable, "-S", "-X", "importtime", "-c", _CODE, handler, event.decode()]
    ended = subprocess.run(command, cwd=asset, env=dict(environment), capture_output=True, text=True, check=True)
    took_s = json.loads(ended.stdout.splitlines()[-1])["took_s"]
    seconds = seconds_by_origin(ended.stderr.splitlines())
    seconds["the rest of the first check"] = max(0.0, took_s - sum(seconds.values()))
    total = sum(seconds.values())
    return ", ".join(f"{name} {share / total:.0%}" for name, share in sorted(seconds.items(), key=lambda item: -item[1]))


def seconds_by_origin(lines: Iterable[str]) -> dict[str, float]:
    """Return the time of imports by origin, without the modules that a nested import counts for itself.

    Source of the format: https://docs.python.org/3/using/cmdline.html#cmdoption-X
    """
    found: defaultdict[str, float] = defaultdict(float)
    for matched in filter(None, map(_LINE.search, lines)):
        found[_origin(matched[2].partition(".")[0])] += int(matched[1]) / 1e6
    return dict(found)


def _origin(package: str) -> str:
    if package == "lambdas":
        return _PRODUCT
    return _STANDARD_LIBRARY if package in sys.stdlib_module_names else _PACKAGES
