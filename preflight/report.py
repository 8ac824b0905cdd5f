"""All that one preflight came to: the cluster's answer, what was read of files, and one exit code for both."""

from dataclasses import dataclass
from enum import StrEnum

from preflight.cluster.upgrade import ClusterReport
from preflight.finding import Finding, by_severity
from preflight.rules import Level


class Result(StrEnum):
    """Whether the role would be kept. The order is that of the exit codes."""

    PASSES = "keeps"
    FAILS = "loses"
    UNKNOWN = "could-not-tell"


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """One file with what was found in it. `kind` is `terraform-plan`, `eksctl` or `template`."""

    file: str
    kind: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class PreflightReport:
    """What was asked of, and what came of it."""

    clusters: tuple[ClusterReport, ...] = ()
    files: tuple[FileReport, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of all clusters and files, the gravest first."""
        of_clusters = [finding for answer in self.clusters for finding in answer.findings]
        return by_severity([*of_clusters, *(finding for read in self.files for finding in read.findings)])

    @property
    def result(self) -> Result:
        """One that would lose the role outweighs one that could not be told."""
        levels = {finding.level for finding in self.findings}
        return Result.FAILS if Level.ERROR in levels else Result.UNKNOWN if Level.UNKNOWN in levels else Result.PASSES

    @property
    def exit_code(self) -> int:
        """0 keeps the role, 1 would lose it, 2 could not tell."""
        return list(Result).index(self.result)
