"""The threat that an attack program tries: one row of the threat model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).parent
PAGE: Final = FOLDER.parents[1] / "docs" / "threat-model.md"
BEGIN: Final = "<!-- threats: `make threat-model` writes this table -->"
END: Final = "<!-- end of threats -->"
HEADER: Final = "| threat | actor | controls | could try | prevented by | residual risk |\n|---|---|---|---|---|---|\n"


@dataclass(frozen=True, kw_only=True)
class Threat:
    """Who attacks with what, what prevents it, and which tests of the program prove that. `residual` is empty where no risk is known."""

    name: str
    actor: str
    controls: str
    attempt: str
    prevention: str
    proof: tuple[str, ...]
    residual: str = ""


@dataclass(frozen=True, kw_only=True)
class Program:
    """An attack program: its file, its threat and the names of its tests."""

    file: Path
    threat: Threat
    tests: frozenset[str]

    @property
    def row(self) -> str:
        """The row of the threat model."""
        threat = self.threat
        proof = ", ".join(f"`{name}`" for name in threat.proof)
        prevented = f"{threat.prevention} (`tests/attacks/{self.file.name}`: {proof})"
        cells = (threat.name, threat.actor, threat.controls, threat.attempt, prevented, threat.residual or "none known")
        return f"| {' | '.join(cells)} |\n"


def programs() -> Iterator[Program]:
    """All attack programs, by the name of their file.

    Raises:
        TypeError: a program declares no threat.
    """
    for file in sorted(FOLDER.glob("test_*.py")):
        if file.name == "test_threat_model.py":
            continue
        threat = getattr(import_module(f"tests.attacks.{file.stem}"), "THREAT", None)
        if not isinstance(threat, Threat):
            raise TypeError(f"{file.name} declares no THREAT")
        tests = frozenset(re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE))
        yield Program(file=file, threat=threat, tests=tests)


def table() -> str:
    """The table of the threat model."""
    return HEADER + "".join(program.row for program in programs())


def page(text: str) -> str:
    """The text of the page with the current table."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"
