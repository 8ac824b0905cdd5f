"""What a rule of preflight is: its id, how grave it is, and why it matters."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How grave a concern is. Errors make exit code 1, unknowns 2; warnings and notes leave it at 0."""

    ERROR = "error"
    UNKNOWN = "unknown"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """The gravest first."""
        return list(Level).index(self)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`title` is what is wrong in a few words, `why` what comes of it, `source` the page that says so."""

    id: str
    level: Level
    title: str
    why: str
    source: str
