"""The report of one run: findings of clusters and files, its result and its exit code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from preflight.finding import Finding, by_severity
from preflight.rules import Level

if TYPE_CHECKING:
    from preflight.cluster.upgrade import ClusterReport


class Result(StrEnum):
    """The result of a run."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNKNOWN = "unknown"
    UNREADABLE = "unreadable"


class FailOn(StrEnum):
    """The lowest level whose findings make exit code 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NEVER = "never"

    def includes(self, level: Level) -> bool:
        """Return whether findings of this level make the run fail. Unknowns have an exit code of their own."""
        levels = {
            FailOn.ERROR: {Level.ERROR},
            FailOn.WARNING: {Level.ERROR, Level.WARNING},
            FailOn.NOTE: {Level.ERROR, Level.WARNING, Level.NOTE},
            FailOn.NEVER: set[Level](),
        }
        return level in levels[self]


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """The findings of one file. `kind` is a name of `preflight.formats.FORMATS`; `error` is the reason why the file could not be read."""

    file: str
    kind: str
    findings: tuple[Finding, ...] = ()
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class PreflightReport:
    """The reports of all clusters and files.

    `detailed_exit_code` gives unreadable files exit code 3. Without it they have 2, as unknowns do.
    """

    clusters: tuple[ClusterReport, ...] = ()
    files: tuple[FileReport, ...] = ()
    fail_on: FailOn = FailOn.ERROR
    detailed_exit_code: bool = False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings of all clusters and files, most severe first, suppressed ones included."""
        of_clusters = [finding for cluster in self.clusters for finding in cluster.findings]
        return by_severity([*of_clusters, *(finding for file in self.files for finding in file.findings)])

    @property
    def active(self) -> tuple[Finding, ...]:
        """Return the findings that are not suppressed."""
        return tuple(finding for finding in self.findings if not finding.suppressed)

    @property
    def result(self) -> Result:
        """Return the result. A failure outweighs an unreadable file, which outweighs an unknown."""
        levels = {finding.level for finding in self.active}
        if any(self.fail_on.includes(level) for level in levels):
            return Result.FAIL
        if any(file.error for file in self.files):
            return Result.UNREADABLE
        is_unknown = Level.UNKNOWN in levels and self.fail_on is not FailOn.NEVER
        return Result.UNKNOWN if is_unknown else Result.PASS

    @property
    def exit_code(self) -> int:
        """Return 0 for a pass, 1 for a failure, 2 for an unknown, and for unreadable files 2, or 3 in detail."""
        unreadable = 3 if self.detailed_exit_code else 2
        return {Result.PASS: 0, Result.FAIL: 1, Result.UNKNOWN: 2, Result.UNREADABLE: unreadable}[self.result]
