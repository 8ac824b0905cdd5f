"""One finding of preflight, and the error of a file that cannot be read."""

from collections.abc import Iterable
from dataclasses import dataclass

from lambdas.domain.errors import PermanentError
from preflight.rules import Level, Rule


class MalformedFile(PermanentError):
    """A file is not of the kind it was given as. The text names the file, the position and what to give instead."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A violation of a rule at one place, with the lines that correct it.

    `file` is empty for findings about a running cluster. `line` and `column` count from 1; 0 where the format has no lines of its own.
    `expression` is the origin of the value, as far as the file shows it. `add` are lines to write at `place`.
    `block_line` is the line on which the resource begins. `suppressed` is the reason
    for which the finding does not count; "" where it counts.
    """

    rule: Rule
    message: str
    resource: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    expression: str = ""
    place: str = ""
    add: tuple[str, ...] = ()
    block_line: int = 0
    suppressed: str = ""

    @property
    def level(self) -> Level:
        """Return the level of the rule."""
        return self.rule.level


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return each finding once, most severe first, then by place."""
    return tuple(
        sorted(
            dict.fromkeys(findings),
            key=lambda finding: (finding.level.rank, finding.file, finding.line, finding.resource, finding.rule.id, finding.message),
        )
    )
