"""Suppressed findings: by the configuration file, by a comment in the file, or by metadata in a JSON template.

A comment `# irsa-preflight: ignore EIR101 -- reason` is for its own line and the next line that is no comment. With the name of a
resource, `# irsa-preflight: ignore EIR101 VpcCni -- reason`, it is for that resource anywhere in the file. In a JSON template:
`"Metadata": {"irsa-preflight": {"ignore": [{"rule": "EIR101", "reason": "..."}]}}` of a resource.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from preflight import rules
from preflight.finding import Finding, by_severity
from preflight.rules import rule_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from preflight.configuration import Configuration
    from preflight.report import FileReport

_COMMENT: Final = re.compile(
    r"(?P<mark>#|//)\s*irsa-preflight:\s*ignore\s+(?P<rules>[\w,-]+)(?:[ \t]+(?P<resource>[^\s-]\S*))?(?P<rest>.*)$"
)
_REASON: Final = re.compile(r"\s*--\s*(\S.*)")


@dataclass(frozen=True, kw_only=True)
class _Ignore:
    """One comment. `line` is the line that it is for; `resource` is a pattern where the comment names one."""

    rules: frozenset[str]
    reason: str
    line: int
    resource: str


def suppress(report: FileReport, text: str, configuration: Configuration) -> FileReport:
    """Return the report with the reasons of suppressed findings, and a finding for each comment without a reason."""
    comments: dict[str, list[_Ignore]] = {report.file: []}
    faults: list[Finding] = []
    for file in {report.file, *(finding.file for finding in report.findings)}:
        comments[file], own_faults = _read_comments(file, text if file == report.file else _text(file))
        faults += own_faults
    found = [
        replace(finding, suppressed=finding.suppressed or _reason(finding, comments[finding.file], configuration))
        for finding in report.findings
    ]
    return replace(report, findings=by_severity([*found, *faults]))


def _text(file: str) -> str:
    """Return the text of a .tf file in the folder of a plan."""
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _reason(finding: Finding, comments: list[_Ignore], configuration: Configuration) -> str:
    for suppression in configuration.suppressions:
        if suppression.matches(finding):
            return suppression.reason
    for comment in comments:
        if finding.rule.id in comment.rules and _is_about(comment, finding):
            return comment.reason
    return ""


def _is_about(comment: _Ignore, finding: Finding) -> bool:
    if comment.resource:
        return comment.resource == finding.resource or fnmatchcase(finding.resource, comment.resource)
    return comment.line in (finding.line, finding.block_line)


def _read_comments(file: str, text: str) -> tuple[list[_Ignore], list[Finding]]:
    comments: list[_Ignore] = []
    faults: list[Finding] = []
    if "irsa-preflight" not in text:
        return comments, faults
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        found = _COMMENT.search(line)
        if not found:
            continue
        reason = _REASON.match(found["rest"])
        named = [rule_named(name) for name in found["rules"].split(",")]
        if not reason or None in named:
            message = "The comment gives no reason: write `-- reason` after the rule." if not reason else "The comment names no rule."
            faults.append(Finding(rule=rules.SUPPRESSION_FAULT, file=file, line=number, column=found.start() + 1, message=message))
            continue
        is_alone = not line[: found.start()].strip()
        comments.append(
            _Ignore(
                rules=frozenset(rule.id for rule in named if rule),
                reason=reason[1].strip(),
                line=_next_line(lines, number) if is_alone else number,
                resource=found["resource"] or "",
            )
        )
    return comments, faults


def _next_line(lines: list[str], number: int) -> int:
    """Return the number of the next line that is neither empty nor a comment."""
    rest = enumerate(lines[number:], start=number + 1)
    return next((index for index, line in rest if line.strip() and not line.strip().startswith(("#", "//"))), number)


def metadata_reasons(resource: Any) -> Iterator[tuple[str, str]]:
    """Return rule id and reason of each suppression in the metadata of a template's resource."""
    listed = resource.body.at("Metadata", "irsa-preflight", "ignore")
    for entry in listed.items if listed else []:
        texts = {key: node.text or "" for key, node in entry.fields.items()}
        rule = rule_named(texts.get("rule", ""))
        if rule and texts.get("reason"):
            yield rule.id, texts["reason"]
