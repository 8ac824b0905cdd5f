"""Limits a function to the share of a processor that Lambda gives its memory size, by a control group of Linux."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.harness.cost_model import FULL_CPU_MIB

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION_1: Final = Path("/sys/fs/cgroup/cpu")
VERSION_2: Final = Path("/sys/fs/cgroup")
PERIOD_US: Final = 20_000
"""The quota is given anew in each period. The value is a choice: less than a check takes, and enough for 128 MB to get the least quota."""
_NUMBERS: Final = count()


class NoCpuQuota(RuntimeError):
    """This machine lets nobody set a quota, for example in a container without its own control groups."""


def quota_us(memory_mib: int) -> int:
    """The processor time in each period: a function with 1,769 MB has one vCPU, and a smaller one its part of it."""
    return min(PERIOD_US, PERIOD_US * memory_mib // FULL_CPU_MIB)


class CpuShare:
    """A control group with the quota of a memory size, from `__enter__` to `__exit__`.

    Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max)
    https://docs.kernel.org/scheduler/sched-bwc.html (cpu.cfs_quota_us)
    """

    def __init__(self, memory_mib: int) -> None:
        self._is_version_1 = (VERSION_1 / "cpu.cfs_quota_us").exists()
        self._root = VERSION_1 if self._is_version_1 else VERSION_2
        self._group = self._root / f"benchmark-{os.getpid()}-{next(_NUMBERS)}"
        self._quota = quota_us(memory_mib)

    def __enter__(self) -> CpuShare:
        try:
            self._group.mkdir(exist_ok=True)
            if self._is_version_1:
                (self._group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
                (self._group / "cpu.cfs_quota_us").write_text(str(self._quota))
            else:
                (self._group / "cpu.max").write_text(f"{self._quota} {PERIOD_US}")
        except OSError as error:
            self.__exit__()
            raise NoCpuQuota(f"no quota can be set under {self._root}: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the group. A process that has not ended yet is moved out, because a group with processes stays."""
        with suppress(OSError):
            for pid in (self._group / "cgroup.procs").read_text().split():
                with suppress(OSError):
                    (self._root / "cgroup.procs").write_text(pid)
            self._group.rmdir()

    def add(self, pids: Iterable[int]) -> None:
        """Move processes into the group. What they start from now on belongs to it too."""
        for pid in pids:
            (self._group / "cgroup.procs").write_text(str(pid))
