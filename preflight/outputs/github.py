"""The report as annotations of GitHub Actions, which the log of a job turns into marks on the lines of a pull request.

Source: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lambdas.notifications.escape import visible
from preflight.rules import Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.report import PreflightReport

_COMMANDS: Final = {Level.ERROR: "error", Level.UNKNOWN: "warning", Level.WARNING: "warning", Level.NOTE: "notice"}


def workflow_commands(report: PreflightReport) -> Iterator[str]:
    """Return a workflow command for each finding that counts, and for each file that could not be read."""
    for finding in report.active:
        place = {"file": finding.file, "line": str(finding.line or ""), "col": str(finding.column or "")}
        place["title"] = f"{finding.rule.id} {finding.rule.name}"
        added = "\n".join(("", f"Add {finding.place}:".replace(" :", ":"), *finding.add)) if finding.add else ""
        subject = f"{finding.resource}: " if finding.resource else ""
        yield _command(_COMMANDS[finding.level], place, f"{subject}{finding.message}{added}")
    for file in report.files:
        if file.error:
            yield _command("error", {"file": file.file, "title": "unreadable"}, file.error)


def _command(name: str, properties: dict[str, str], message: str) -> str:
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{name} {listed}::{_data(message)}"


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
