"""Cache of built folders, keyed by content. Folders that are unused for a day are removed."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_S: Final = 86_400
"""Time until an unused build is removed. Each change of the sources creates a new build of some megabytes."""


def build_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """Return the folder and build it first when it does not exist.

    The build fills a temporary folder and renames it, so concurrent builds are safe. Each use updates the modification time; each build
    removes unused neighbors.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=folder.parent) as scratch:
            whole = Path(scratch) / "whole"
            fill(whole)
            try:
                whole.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
        _remove_unused(folder.parent, time.time() - KEPT_S)
    with suppress(OSError):  # a read-only cache
        os.utime(folder)
    return folder


def _remove_unused(shelf: Path, before: float) -> None:
    for build in shelf.iterdir():
        with suppress(OSError):  # a concurrent build may remove it first
            if build.stat().st_mtime < before:
                shutil.rmtree(build, ignore_errors=True)
