"""One thing that preflight has to say about one place, and the error of a file that cannot be read."""

from collections.abc import Iterable
from dataclasses import dataclass

from lambdas.domain.errors import PermanentError
from preflight.rules import Level, Rule


class MalformedFile(PermanentError):
    """A file is not what it was given as. The text names file, position and what was expected."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found where, and what to write there.

    `file` is empty for what was found in a cluster. `line` and `column` count from 1; 0 where the format has no lines of its own.
    `expression` is where the value comes from, as far as the file tells. `add` are lines to write at `place`, ready to paste.
    """

    rule: Rule
    resource: str
    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    expression: str = ""
    place: str = ""
    add: tuple[str, ...] = ()

    @property
    def level(self) -> Level:
        """As its rule has it."""
        return self.rule.level


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each once, the gravest first, then by place."""
    return tuple(
        sorted(
            dict.fromkeys(findings),
            key=lambda fromkey: (fromkey.level.rank, fromkey.file, fromkey.line, fromkey.resource, fromkey.rule.id, fromkey.message),
        )
    )
