"""The outcome as SARIF 2.1.0, which code hosts show on the lines of a change.

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
"""What makes two results the same one: rule, file and resource. A line that moves does not make a new one."""

_LEVELS: Final = {Level.ERROR: "error", Level.UNKNOWN: "warning", Level.WARNING: "warning", Level.NOTE: "note"}


def sarif(report: PreflightReport) -> Json:
    """One run. Its rules are those that results name; where none does, all of them, so that a clean run shows what was looked for."""
    named = [(finding, owner.cluster) for owner in report.clusters for finding in owner.findings]
    named += [(finding, "") for read in report.files for finding in read.findings]
    used = {item.rule.id for item, _ in named}
    rules = [rule for rule in RULES if rule.id in used or not used]
    order = {item.id: index for index, item in enumerate(rules)}
    run = {
        "tool": {"driver": _driver(rules)},
        "columnKind": "unicodeCodePoints",
        "invocations": [{"executionSuccessful": True, "exitCode": report.exit_code}],
        "artifacts": [{"location": {"uri": uri(file.file)}} for file in report.files],
        "results": [_result(item, cluster, order[item.rule.id]) for item, cluster in named],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _driver(rules: list[Rule]) -> Json:
    return {
        "name": "irsa-remediator preflight",
        "informationUri": f"https://github.com/{PROJECT}/{PROJECT}/blob/main/docs/preflight.md",
        "version": VERSION,
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(it: Rule) -> Json:
    return {
        "id": it.id,
        "name": "".join(word.title() for word in it.id.split("-")),
        "shortDescription": {"text": it.title},
        "fullDescription": {"text": it.why},
        "help": {"text": f"{it.why} See {it.source}", "markdown": f"{it.why} [More]({it.source})"},
        "helpUri": it.source,
        "defaultConfiguration": {"level": _LEVELS[it.level]},
    }


def _result(it: Finding, cluster: str, index: int) -> Json:
    where = ": ".join(filter(None, ("Add" + (f" {it.place}" if it.place else ""), "\n".join(it.add)))) if it.add else ""
    facts = {"level": it.level.value, "expression": it.expression, "add": list(it.add), "place": it.place, "cluster": cluster}
    return {
        "ruleId": it.rule.id,
        "ruleIndex": index,
        "level": _LEVELS[it.level],
        "message": {"text": "\n".join(filter(None, (it.message, where)))},
        "locations": [_location(it, cluster)],
        "partialFingerprints": {FINGERPRINT: _fingerprint(it, cluster)},
        "properties": {name: value for name, value in facts.items() if value},
    }


def _location(it: Finding, cluster: str) -> Json:
    found: Json = {}
    if it.file:
        # A plan has no lines of its own; code hosts want one, and the first is right for a file as a whole.
        region = {"startLine": it.line or 1, **({"startColumn": it.column} if it.column else {})}
        found["physicalLocation"] = {"artifactLocation": {"uri": uri(it.file)}, "region": region}
    name = f"{cluster}/{it.resource}" if cluster else it.resource
    if name:
        found["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "resource"}]
    return found


def uri(file: str) -> str:
    """A file as a URI reference: relative as it was given, or `file:`."""
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(PurePath(file).as_posix())


def _fingerprint(it: Finding, cluster: str) -> str:
    return hashlib.sha256("\n".join((it.rule.id, it.file, cluster, it.resource)).encode()).hexdigest()[:32]
