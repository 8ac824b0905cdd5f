"""Folders that are built once for their content, kept, and removed when nobody has used them for a while."""

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
"""How long a build is kept that nobody uses: each change of the sources makes another one, of some megabytes."""


def build_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """The folder, filled aside first if it is not there, so that it is never seen half full; two builds at once make the same.

    Each use is noted as its time of change. Where it has to be built, its unused neighbours go.
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
    with suppress(OSError):  # another one's cache, which can be read only
        os.utime(folder)
    return folder


def _remove_unused(shelf: Path, before: float) -> None:
    for build in shelf.iterdir():
        with suppress(OSError):  # another build removes it at the same time
            if build.stat().st_mtime < before:
                shutil.rmtree(build, ignore_errors=True)
