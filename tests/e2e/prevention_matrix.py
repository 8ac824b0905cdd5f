"""What becomes of the role when a writer leaves it out, without prevention and with each kind: the rows that docs/prevention.md shows."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Mode(StrEnum):
    """What prevents the loss. The guard includes the warning, as `guard apply` installs both."""

    WITHOUT = "without"
    CLAIM = "claim"
    WARN = "warn"
    GUARD = "guard"


class Result(StrEnum):
    """The role annotation after the write."""

    KEPT = "kept"
    LOST = "lost"
    OTHER = "other role"


class Writer(StrEnum):
    """A kind of write, with tools that make it."""

    ANNOTATE = "`kubectl annotate` with the key and a hyphen"
    CLIENT_SIDE_APPLY = "`kubectl apply` of a manifest that no longer has the role (Argo CD by default)"
    SERVER_SIDE_APPLY = "server-side apply without the role, by the owner (EKS add-on, Flux)"
    FORCED_APPLY = "the same, forced"
    REPLACE = "`kubectl replace`, an update of the whole object"
    MERGE_PATCH = "merge patch to null by the Python client (Helm)"
    JSON_PATCH = "JSON patch `remove` (kubernetes provider of Terraform)"
    RECREATE = "delete (`eksctl delete iamserviceaccount`), and create without the role"
    COLLECTION = "delete all ServiceAccounts of the namespace, and create without the role"
    OTHER_ROLE = "another role, by force"
    ROLL_BACK = "roll-back of a repair by the remediator"


@dataclass(frozen=True, kw_only=True)
class Row:
    """The results of one writer. `named`: the warning names the writer in the audit log."""

    without: Result
    claim: Result
    guard: Result
    named: bool = True

    def expected(self, mode: Mode) -> Result:
        """The result with this prevention. The warning changes nothing."""
        return {Mode.WITHOUT: self.without, Mode.CLAIM: self.claim, Mode.WARN: self.without, Mode.GUARD: self.guard}[mode]


_REMOVED: Final = Row(without=Result.LOST, claim=Result.LOST, guard=Result.KEPT)
_APPLIED: Final = Row(without=Result.LOST, claim=Result.KEPT, guard=Result.KEPT)

MATRIX: Final[dict[Writer, Row]] = {
    Writer.ANNOTATE: _REMOVED,
    Writer.CLIENT_SIDE_APPLY: _REMOVED,
    Writer.SERVER_SIDE_APPLY: _APPLIED,
    Writer.FORCED_APPLY: _APPLIED,
    Writer.REPLACE: _REMOVED,
    Writer.MERGE_PATCH: _REMOVED,
    Writer.JSON_PATCH: _REMOVED,
    Writer.RECREATE: _REMOVED,
    Writer.COLLECTION: _REMOVED,
    Writer.OTHER_ROLE: Row(without=Result.OTHER, claim=Result.OTHER, guard=Result.OTHER),
    Writer.ROLL_BACK: Row(without=Result.LOST, claim=Result.LOST, guard=Result.LOST, named=False),
}


def table() -> list[str]:
    """The lines of the table in docs/prevention.md."""
    head = ["| writer | without | with claim | with warning | with guard | named by the node watcher |", "|---|---|---|---|---|---|"]
    rows = [
        f"| {writer} | {' | '.join(map(row.expected, Mode))} | {'with warning or guard' if row.named else 'no, it is our own'} |"
        for writer, row in MATRIX.items()
    ]
    return [*head, *rows]


MONTHS: Final = 12
YEAR: Final[dict[Writer, dict[Mode, int]]] = {
    writer: {Mode.WITHOUT: without, Mode.CLAIM: claim, Mode.WARN: without, Mode.GUARD: 0}
    for writer, without, claim in (
        (Writer.SERVER_SIDE_APPLY, 1, 0),
        (Writer.CLIENT_SIDE_APPLY, MONTHS, MONTHS),
        (Writer.REPLACE, MONTHS, MONTHS),
        (Writer.MERGE_PATCH, MONTHS, MONTHS),
        (Writer.JSON_PATCH, MONTHS, MONTHS),
        (Writer.RECREATE, MONTHS, MONTHS),
    )
}
"""Incidents of a year with one upgrade a month. The first repair claims the annotation, so a server-side apply causes no second one."""


def year_table() -> list[str]:
    """The lines of the second table in docs/prevention.md."""
    head = ["| writer | without | with claim | with warning | with guard |", "|---|---|---|---|---|"]
    return [*head, *(f"| {writer} | {' | '.join(str(counts[mode]) for mode in Mode)} |" for writer, counts in YEAR.items())]


class Change(StrEnum):
    """How a chart or manifest comes to have no role."""

    ROLE_LEAVES = "the role leaves the chart or manifest"
    NEVER_HAD_IT = "the chart or manifest never had the role, and someone set it"


HELM: Final[dict[int, dict[Change, dict[Mode, Result]]]] = {
    3: {
        Change.ROLE_LEAVES: {Mode.WITHOUT: Result.LOST, Mode.CLAIM: Result.LOST, Mode.GUARD: Result.KEPT},
        Change.NEVER_HAD_IT: {Mode.WITHOUT: Result.KEPT, Mode.CLAIM: Result.KEPT, Mode.GUARD: Result.KEPT},
    },
}
"""The role after `helm upgrade`, by the major version of Helm: measured with the program itself."""


FLUX: Final[dict[Change, dict[Mode, Result]]] = {
    Change.ROLE_LEAVES: {Mode.WITHOUT: Result.LOST, Mode.CLAIM: Result.KEPT, Mode.GUARD: Result.KEPT},
    Change.NEVER_HAD_IT: {Mode.WITHOUT: Result.KEPT, Mode.CLAIM: Result.KEPT, Mode.GUARD: Result.KEPT},
}
"""The role after Flux's library for server-side apply has applied a manifest without it: measured with the library itself."""


def program_table() -> list[str]:
    """The lines of the table of programs in docs/prevention.md."""
    head = ["| program | change | without | with claim | with guard |", "|---|---|---|---|---|"]
    programs = {**{f"Helm {version}, `helm upgrade`": changes for version, changes in HELM.items()}, "Flux, its library `ssa`": FLUX}
    rows = [
        f"| {program} | {change} | {results[Mode.WITHOUT]} | {results[Mode.CLAIM]} | {results[Mode.GUARD]} |"
        for program, changes in programs.items()
        for change, results in changes.items()
    ]
    return [*head, *rows]
