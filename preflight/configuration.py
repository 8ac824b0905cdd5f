"""The configuration file: suppressions and the threshold of a project.

fail-on: warning
detailed-exit-code: true     # 3 instead of 2 for files that cannot be read
suppress:
  - rule: EIR107
    resource: "module.eks.*"   # a pattern; left out, every resource
    file: "plans/*.json"       # a pattern; left out, every file
    reason: the node role keeps the policy until the migration in May
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from preflight.finding import Finding, MalformedFile
from preflight.rules import rule_named
from preflight.source_tree import load

if TYPE_CHECKING:
    from preflight.source_tree import SourceNode

DEFAULT_NAMES: Final = (".irsa-preflight.yaml", ".irsa-preflight.yml")
_KEYS: Final = frozenset({"fail-on", "detailed-exit-code", "suppress"})
_SUPPRESSION_KEYS: Final = frozenset({"rule", "resource", "file", "reason"})


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """A rule that does not count for resources and files of these patterns, with the reason."""

    rule: str
    reason: str
    resource: str = "*"
    file: str = "*"

    def matches(self, finding: Finding) -> bool:
        """Return whether the suppression is about this finding."""
        return (
            self.rule in (finding.rule.id, finding.rule.name)
            and (self.resource == finding.resource or fnmatchcase(finding.resource, self.resource))
            and (self.file == finding.file or fnmatchcase(finding.file, self.file))
        )


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The settings of a project."""

    fail_on: str = "error"
    detailed_exit_code: bool = False
    suppressions: tuple[Suppression, ...] = ()


def load_configuration(path: Path | None) -> Configuration:
    """Return the configuration of this file, or of the default file of the working folder if there is one.

    Raises:
        MalformedFile: the file cannot be read, or a suppression has no reason or no rule.
    """
    found = path or next((Path(name) for name in DEFAULT_NAMES if Path(name).is_file()), None)
    if found is None:
        return Configuration()
    try:
        root = load(found.read_text(encoding="utf-8"), str(found))
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedFile(f"{found} cannot be read: {error}") from error
    _only(root, _KEYS, str(found))
    listed = root.at("suppress")
    threshold, detailed = root.at("fail-on"), root.at("detailed-exit-code")
    return Configuration(
        detailed_exit_code=detailed is not None and detailed.value is True,
        fail_on=(threshold.text or "") if threshold else "error",
        suppressions=tuple(_suppression(entry, str(found)) for entry in (listed.items if listed else [])),
    )


def _suppression(entry: SourceNode, file: str) -> Suppression:
    _only(entry, _SUPPRESSION_KEYS, file)
    texts = {key: node.text or "" for key, node in entry.fields.items()}
    rule = rule_named(texts.get("rule", ""))
    where = f"{file}:{entry.line}:{entry.column}"
    if rule is None:
        raise MalformedFile(f"{where} names no rule: write an id such as EIR101")
    if not texts.get("reason", "").strip():
        raise MalformedFile(f"{where} gives no reason for suppressing {rule.id}")
    return Suppression(rule=rule.id, reason=texts["reason"], resource=texts.get("resource") or "*", file=texts.get("file") or "*")


def _only(node: SourceNode, known: frozenset[str], file: str) -> None:
    for key in node.fields:
        if key not in known:
            line, column = node.place_of(key)
            raise MalformedFile(f"{file}:{line}:{column} has the unknown key {key!r}; known are {', '.join(sorted(known))}")
