"""What preflight says of files, in short: the names of errors and unknowns, or the place of the fault in a file that cannot be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from preflight.inputs import discover
from preflight.rules import Level
from preflight.run import check_files, parse_files

if TYPE_CHECKING:
    from pathlib import Path


def outcome(folder: Path, *contents: str | bytes) -> list[str] | str:
    """Return the names of errors and unknowns in files that are given together, or `LINE:COLUMN` of the first fault of reading.

    A fault without a place is "unreadable". The kind of each file is detected.
    """
    paths = [folder / f"file-{index}" for index in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    reports = check_files(parse_files(list(discover([str(path) for path in paths]))))
    if errors := [report.error for report in reports if report.error]:
        place = re.search(r"file-\d:(\d+:\d+)", errors[0])
        return place[1] if place else "unreadable"
    found = [finding for report in reports for finding in report.findings if finding.level in (Level.ERROR, Level.UNKNOWN)]
    return sorted({finding.rule.name for finding in found})
