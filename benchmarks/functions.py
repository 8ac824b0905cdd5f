"""Functions in the Lambda emulator: ours from the built asset, rivals beside the packages that they need."""

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

from benchmarks.measure import Cost
from infra.asset import CACHE
from infra.build_cache import made_once
from sandbox.functions.emulator import Environment
from sandbox.functions.function import Function
from sandbox.play.deployment import our_asset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RIVALS: Final = Path(__file__).with_name("rivals")
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


class FunctionFailed(RuntimeError):
    """A function that is measured did not do its work; says what it answered."""


@cache
def rivals_beside_ours() -> Path:
    """Our asset's packages, pruned and compiled as they are, with the rivals beside them: a floor that packaging favours no less."""
    return _with_rivals(our_asset(), "ours-" + our_asset().name)


@cache
def rivals_with(*packages: str) -> Path:
    """A folder of its own with these packages and all that they need, as pip leaves them, compiled."""
    found = {dist.metadata["Name"]: dist for name in packages for dist in _closure(name)}
    digest = hashlib.sha256(" ".join(sorted(f"{name}{dist.version}" for name, dist in found.items())).encode()).hexdigest()[:12]
    folder = CACHE / "benchmarks" / f"{packages[-1]}-{digest}-{sys.version_info.minor}"

    def fill(fresh: Path) -> None:
        for dist in found.values():
            _copy(dist, fresh)
        _compile(fresh)

    return _with_rivals(made_once(folder, fill), folder.name)


def scratch() -> Path:
    """What this run makes for itself alone; removed at its end."""
    return CACHE / "benchmarks" / f"run-{os.getpid()}"


def function(name: str, asset: Path, handler: str, environment: Mapping[str, str], memory_mib: int = 256) -> Function:
    """A function to be measured, one environment at a time."""
    return Function(name=name, asset=asset, handler=handler, environment=environment, memory_mib=memory_mib, concurrency=1)


def cold(measured: Function, payload: Callable[[], bytes]) -> Cost:
    """Init plus first invocation in a fresh environment; CPU and peak memory of the function's process alone."""
    with Environment(measured) as environment:
        ended = environment.invoke(payload())
        if ended.failed:
            raise FunctionFailed(f"{measured.name}: {ended.payload.decode(errors='replace')[:800]}")
        return Cost(wall_ms=ended.duration_ms, cpu_ms=cpu_ms(environment), peak_mb=peak_mb(environment))


def warm(environment: Environment, payload: bytes) -> Cost:
    """One more invocation of an environment that runs."""
    before = cpu_ms(environment)
    ended = environment.invoke(payload)
    if ended.failed or ended.cold:
        raise FunctionFailed(f"{environment.function.name}: {ended.payload.decode(errors='replace')[:800]}")
    return Cost(wall_ms=ended.duration_ms, cpu_ms=cpu_ms(environment) - before, peak_mb=peak_mb(environment))


class Measurable(Protocol):
    """An environment, or all of a function."""

    def pids(self) -> list[int]: ...


def cpu_ms(of: Measurable) -> float:
    """CPU time of the function's processes since they began, ended threads included, to the kernel's tick of a hundredth second."""
    return sum(_ticks(pid) for pid in of.pids()) * 1e3 / _TICKS_A_SECOND


def _ticks(pid: int) -> int:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])  # utime and stime, proc(5)


def peak_mb(of: Measurable) -> float:
    """The most memory that one of the function's processes has held."""
    found = [re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in of.pids()]
    return max(int(item[1]) for item in found if item) * 1024 / 1e6


def _closure(name: str, seen: frozenset[str] = frozenset()) -> Iterator[Distribution]:
    try:
        dist = distribution(name)
    except PackageNotFoundError:  # an optional part for other platforms
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
    subprocess.run(command, check=False, capture_output=True)  # some packages ship files of a later Python, which pip lets pass too


def _with_rivals(packages: Path, name: str) -> Path:
    """A folder of links to the packages and copies of the rivals, made anew in each run since rivals change."""
    folder = scratch() / name
    folder.mkdir(parents=True)
    (folder / "__pycache__").mkdir()  # of its own: by a link the rivals would be compiled into the packages, and the asset be another one
    for entry in (*packages.iterdir(), *packages.glob("__pycache__/*")):
        if entry.name != "__pycache__":
            (folder / entry.relative_to(packages)).symlink_to(entry)
    for source in RIVALS.glob("*.py"):
        shutil.copyfile(source, folder / source.name)
    _compile_rivals(folder)
    return folder


def _compile_rivals(folder: Path) -> None:
    for source in RIVALS.glob("*.py"):
        subprocess.run([sys.executable, "-m", "compileall", "-q", str(folder / source.name)], check=True, capture_output=True)
