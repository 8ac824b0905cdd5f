"""The fixtures of preflight, and their findings."""

from pathlib import Path

from preflight.context import ALONE, Context
from preflight.finding import Finding
from preflight.formats import FORMATS

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
KINDS = {"terraform": "terraform-plan", "eksctl": "eksctl", "template": "template"}
"""Folder of fixtures -> kind of file."""


def findings_in(kind: str, text: str, file: str = "f", context: Context = ALONE) -> tuple[Finding, ...]:
    """The findings of a text."""
    form = FORMATS[kind]
    return form.findings(form.parse(text, file), context)


def names_in(kind: str, text: str, context: Context = ALONE) -> list[str]:
    """The names of the rules that a text violates, most severe first."""
    return [finding.rule.name for finding in findings_in(kind, text, context=context)]


def findings_of(folder: str, name: str) -> tuple[Finding, ...]:
    """The findings of a fixture."""
    return findings_in(KINDS[folder], (FIXTURES / folder / name).read_text(encoding="utf-8"), name)


def only(folder: str, name: str, rule: str) -> Finding:
    """The one finding of this rule."""
    (found,) = (finding for finding in findings_of(folder, name) if finding.rule.name == rule)
    return found
