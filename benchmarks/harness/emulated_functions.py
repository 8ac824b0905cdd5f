"""Functions in the Lambda emulator: the product from its built asset, and baselines with the packages that they import."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from packaging.requirements import Requirement

from benchmarks.harness.measurement import Cost
from infra.asset import CACHE
from infra.build_cache import build_once
from sandbox.functions.execution_environment import Environment
from sandbox.functions.function import Function
from sandbox.simulation.deployment import function_asset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BASELINES: Final = Path(__file__).parent.parent / "baselines"
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


class FunctionFailed(RuntimeError):
    """A measured function failed; the message holds its response."""


@cache
def baselines_with_product_packages() -> Path:
    """Return a folder with the baselines and the pruned, compiled packages of the product's asset, so that packaging favors neither."""
    return _baseline_folder(function_asset(), "product-" + function_asset().name)


@cache
def baselines_with_packages(*packages: str) -> Path:
    """Return a folder with the baselines, these packages and their dependencies, as pip installs them, compiled."""
    found = {dist.metadata["Name"]: dist for name in packages for dist in _closure(name)}
    digest = hashlib.sha256(" ".join(sorted(f"{name}{dist.version}" for name, dist in found.items())).encode()).hexdigest()[:12]
    folder = CACHE / "benchmarks" / f"{packages[-1]}-{digest}-{sys.version_info.minor}"

    def fill(fresh: Path) -> None:
        for dist in found.values():
            _copy(dist, fresh)
        _compile(fresh)

    return _baseline_folder(build_once(folder, fill), folder.name)


def scratch_folder() -> Path:
    """Return the folder for files of this run alone, which is removed at its end."""
    return CACHE / "benchmarks" / f"run-{os.getpid()}"


def function(name: str, asset: Path, handler: str, environment: Mapping[str, str], memory_mib: int = 256) -> Function:
    """Return a function for measuring, with one execution environment at a time."""
    return Function(name=name, asset=asset, handler=handler, environment=environment, memory_mib=memory_mib, concurrency=1)


def measure_cold_start(measured: Function, payload: Callable[[], bytes]) -> Cost:
    """Return the cost of init plus first invocation in a new environment: CPU time and memory of the function's process alone."""
    with Environment(measured) as environment:
        result = environment.invoke(payload())
        if result.failed:
            raise FunctionFailed(f"{measured.name}: {result.payload.decode(errors='replace')[:800]}")
        return Cost(wall_ms=result.duration_ms, cpu_ms=cpu_ms(environment), peak_mb=peak_mb(environment))


def measure_invocation(environment: Environment, payload: bytes) -> Cost:
    """Return the cost of one invocation of a warm environment."""
    before = cpu_ms(environment)
    result = environment.invoke(payload)
    if result.failed or result.cold:
        raise FunctionFailed(f"{environment.function.name}: {result.payload.decode(errors='replace')[:800]}")
    return Cost(wall_ms=result.duration_ms, cpu_ms=cpu_ms(environment) - before, peak_mb=peak_mb(environment))


class HasProcesses(Protocol):
    """One execution environment, or the pool of a function."""

    def pids(self) -> list[int]: ...


def cpu_ms(of: HasProcesses) -> float:
    """Return the CPU time of the function's processes, ended threads included. The kernel's tick is 10 ms."""
    return sum(_ticks(pid) for pid in of.pids()) * 1e3 / _TICKS_A_SECOND


def _ticks(pid: int) -> int:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])  # utime and stime, proc(5)


def peak_mb(of: HasProcesses) -> float:
    """Return the largest peak memory of the function's processes."""
    found = [re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in of.pids()]
    return max(int(match[1]) for match in found if match) * 1024 / 1e6


def _closure(name: str, seen: frozenset[str] = frozenset()) -> Iterator[Distribution]:
    try:
        dist = distribution(name)
    except PackageNotFoundError:  # an optional dependency of another platform
        return
    yield dist
    for text in dist.requires or ():
        needed = Requirement(text)
        if needed.name not in seen and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
            yield from _closure(needed.name, seen | {name, needed.name})


def _copy(dist: Distribution, folder: Path) -> None:
    for file in dist.files or ():
        if not str(file).startswith("..") and "__pycache__" not in str(file):
            target = folder / str(file)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target)


def _compile(folder: Path) -> None:
    command = [sys.executable, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run(command, check=False, capture_output=True)  # some packages ship files of a later Python; pip ignores these too


def _baseline_folder(packages: Path, name: str) -> Path:
    """Return a new folder with links to the packages and copies of the baselines."""
    folder = scratch_folder() / name
    folder.mkdir(parents=True)
    (folder / "__pycache__").mkdir()  # not a link: compiling the baselines would change the asset
    for entry in (*packages.iterdir(), *packages.glob("__pycache__/*")):
        if entry.name != "__pycache__":
            (folder / entry.relative_to(packages)).symlink_to(entry)
    for source in BASELINES.glob("*.py"):
        shutil.copyfile(source, folder / source.name)
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder / source.name)], check=True, capture_output=True)
    return folder
