"""The report as SARIF 2.1.0, which code hosts show on the lines of a change.

Source: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from lambdas.contract.names import PROJECT
from lambdas.contract.version import VERSION
from preflight.rules import RULES, Level, Rule

if TYPE_CHECKING:
    from preflight.finding import Finding
    from preflight.report import PreflightReport

Json = dict[str, Any]

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT: Final = "ruleAndResource/v1"
"""The identity of a result: rule, file and resource. A finding keeps it when its line moves."""

_LEVELS: Final = {Level.ERROR: "error", Level.UNKNOWN: "warning", Level.WARNING: "warning", Level.NOTE: "note"}


def sarif(report: PreflightReport) -> Json:
    """Return one run. Its rules are those of its results, or all rules where there is no result."""
    named = [(finding, owner.cluster) for owner in report.clusters for finding in owner.findings]
    named += [(finding, "") for read in report.files for finding in read.findings]
    used = {item.rule.id for item, _ in named}
    rules = [rule for rule in RULES if rule.id in used or not used]
    order = {item.id: index for index, item in enumerate(rules)}
    run = {
        "tool": {"driver": _driver(rules)},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "artifacts": [{"location": {"uri": uri(file.file)}} for file in report.files],
        "results": [_result(item, cluster, order[item.rule.id]) for item, cluster in named],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _invocation(report: PreflightReport) -> Json:
    unreadable = [file for file in report.files if file.error]
    notifications = [
        {
            "level": "error",
            "message": {"text": file.error},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri(file.file)}}}],
        }
        for file in unreadable
    ]
    listed = {"toolExecutionNotifications": notifications} if notifications else {}
    return {"executionSuccessful": not unreadable, "exitCode": report.exit_code, **listed}


def _driver(rules: list[Rule]) -> Json:
    return {
        "name": "irsa-remediator preflight",
        "informationUri": f"https://github.com/{PROJECT}/{PROJECT}/blob/main/docs/preflight.md",
        "version": VERSION,
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: Rule) -> Json:
    return {
        "id": rule.id,
        "name": "".join(word.title() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.why} {rule.fix} See {rule.source}", "markdown": f"{rule.why} {rule.fix} [Source]({rule.source})"},
        "helpUri": rule.page,
        "defaultConfiguration": {"level": _LEVELS[rule.level]},
    }


def _result(finding: Finding, cluster: str, index: int) -> Json:
    where = ": ".join(filter(None, ("Add" + (f" {finding.place}" if finding.place else ""), "\n".join(finding.add)))) if finding.add else ""
    facts = {
        "level": finding.level.value,
        "expression": finding.expression,
        "add": list(finding.add),
        "place": finding.place,
        "cluster": cluster,
    }
    return {
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": _LEVELS[finding.level],
        "message": {"text": "\n".join(filter(None, (finding.message, where)))},
        "locations": [_location(finding, cluster)],
        "partialFingerprints": {FINGERPRINT: _fingerprint(finding, cluster)},
        "properties": {name: value for name, value in facts.items() if value},
        **({"suppressions": [{"kind": "external", "justification": finding.suppressed}]} if finding.suppressed else {}),
    }


def _location(finding: Finding, cluster: str) -> Json:
    found: Json = {}
    if finding.file:
        # A plan has no lines of its own. Code hosts require one, and the first line represents the whole file.
        region = {"startLine": finding.line or 1, **({"startColumn": finding.column} if finding.column else {})}
        found["physicalLocation"] = {"artifactLocation": {"uri": uri(finding.file)}, "region": region}
    name = f"{cluster}/{finding.resource}" if cluster else finding.resource
    if name:
        found["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "resource"}]
    return found


def uri(file: str) -> str:
    """A file as a URI reference: relative as finding was given, or `file:`."""
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(PurePath(file).as_posix())


def _fingerprint(finding: Finding, cluster: str) -> str:
    return hashlib.sha256("\n".join((finding.rule.id, finding.file, cluster, finding.resource)).encode()).hexdigest()[:32]
