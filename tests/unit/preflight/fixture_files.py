"""Where preflight's fixtures are, and their reading."""

from pathlib import Path

from preflight.finding import Finding
from preflight.run import READERS

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
KINDS = {"terraform": "terraform-plan", "eksctl": "eksctl", "template": "template"}
"""Folder of fixtures -> kind of file."""


def findings_of(folder: str, name: str) -> tuple[Finding, ...]:
    path = FIXTURES / folder / name
    return READERS[KINDS[folder]](path.read_text(encoding="utf-8"), name)


def only(folder: str, name: str, rule: str) -> Finding:
    """The one concern of this rule."""
    (found,) = (item for item in findings_of(folder, name) if item.rule.id == rule)
    return found
