"""All that one preflight came to: the cluster's answer, what was read of files, and one exit code for both."""

from dataclasses import dataclass
from enum import StrEnum

from preflight.cluster.upgrade import ClusterAnswer
from preflight.concern import Concern, in_order
from preflight.rules import Level


class Result(StrEnum):
    """Whether the role would be kept. The order is that of the exit codes."""

    KEEPS = "keeps"
    LOSES = "loses"
    COULD_NOT_TELL = "could-not-tell"


@dataclass(frozen=True, kw_only=True)
class ReadFile:
    """One file with what was found in it. `kind` is `terraform-plan`, `eksctl` or `template`."""

    file: str
    kind: str
    concerns: tuple[Concern, ...]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was asked of, and what came of it."""

    clusters: tuple[ClusterAnswer, ...] = ()
    files: tuple[ReadFile, ...] = ()

    @property
    def concerns(self) -> tuple[Concern, ...]:
        """Those of all clusters and files, the gravest first."""
        of_clusters = [concern for answer in self.clusters for concern in answer.concerns]
        return in_order([*of_clusters, *(concern for read in self.files for concern in read.concerns)])

    @property
    def result(self) -> Result:
        """One that would lose the role outweighs one that could not be told."""
        levels = {concern.level for concern in self.concerns}
        return Result.LOSES if Level.ERROR in levels else Result.COULD_NOT_TELL if Level.UNKNOWN in levels else Result.KEEPS

    @property
    def exit_code(self) -> int:
        """0 keeps the role, 1 would lose it, 2 could not tell."""
        return list(Result).index(self.result)
