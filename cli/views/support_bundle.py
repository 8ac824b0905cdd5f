"""A support bundle: what a maintainer needs to know about one installation, with identifying values replaced."""

from __future__ import annotations

import platform
import re
from collections import defaultdict
from dataclasses import asdict
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from cli.queries import parameters
from cli.queries.fleet import assess_members
from cli.queries.incidents import find_incident, incident_timeline
from cli.views.documents import incident_documents, member_document, open_incident_document, past_incident_document, plan_of
from lambdas.contract.version import VERSION
from lambdas.domain.errors import RemediatorError
from lambdas.domain.incidents.incident import Incident
from lambdas.domain.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.clients.dependencies import Dependencies
    from cli.queries.targets import TargetSelection

Json = dict[str, Any]

INCIDENT_DAYS: Final = 30
_PACKAGES: Final = ("boto3", "botocore", "kubernetes", "urllib3", "typer", "rich")


def support_bundle(dependencies: Dependencies, selection: TargetSelection, incident: str = "") -> Json:
    """Return versions, settings, checks with plans, and incidents. A part that could not be read is named with its error."""
    problems: Json = {}

    def part(name: str, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except RemediatorError as error:
            problems[name] = str(error)
            return None

    document = {
        "createdAt": dependencies.now().isoformat(timespec="seconds"),
        "versions": _versions(),
        "caller": dependencies.caller,
        "environment": asdict(dependencies.environment) if dependencies.is_deployed else None,
        "functions": part("functions", lambda: _functions(dependencies)),
        "settings": part("settings", lambda: [entry.document for entry in parameters.settings(dependencies)]),
        "bindings": part("bindings", lambda: [entry.document for entry in parameters.bindings(dependencies)]),
        "checks": part("checks", lambda: _checks(dependencies, selection)),
        "incidents": part("incidents", lambda: _incidents(dependencies)),
        "incident": part("incident", lambda: _incident(incident, dependencies)) if incident else None,
    }
    return Pseudonyms().replace(document | {"problems": problems})  # type: ignore[no-any-return]  # a mapping stays a mapping


def _versions() -> Json:
    packages = {name: found for name in _PACKAGES if (found := _version(name))}
    return {
        "irsa-remediator": VERSION,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": packages,
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _functions(dependencies: Dependencies) -> list[Json]:
    roles = [role for role in dependencies.environment.our_role_arns.split(",") if role]
    return [
        {
            "name": item.name,
            "modifiedAt": item.modified_at.isoformat() if item.modified_at else None,
            "variableBytes": item.environment_bytes,
        }
        for item in dependencies.stack.functions.of_roles(roles).values()
    ]


def _checks(dependencies: Dependencies, selection: TargetSelection) -> list[Json]:
    return [member_document(member) | {"plan": plan_of(member.assessment)} for member in assess_members(selection, dependencies)]


def _incidents(dependencies: Dependencies) -> list[Json]:
    past = dependencies.incident_list.past(dependencies.now() - timedelta(days=INCIDENT_DAYS))
    return incident_documents(dependencies.incident_list.open(), past)


def _incident(prefix: str, dependencies: Dependencies) -> Json:
    found = find_incident(prefix, dependencies)
    if isinstance(found, Incident):
        return open_incident_document(found, None)
    rows = [{"at": row.at.isoformat() if row.at else None, "event": row.event, "text": row.text} for row in incident_timeline(found)]
    return past_incident_document(found) | {"sentence": found.details.sentence, "timeline": rows}


class Pseudonyms:
    """Replaces identifying values by numbered ones. Equal values get the same number, so that a reader still sees what is equal.

    Names of clusters, namespaces, workloads and roles stay, since a diagnosis is about them.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, dict[str, int]] = defaultdict(dict)

    def replace(self, value: Any) -> Any:
        """Return the value with the identifying parts of every text replaced, also in keys."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {self._text(str(key)): self.replace(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.replace(item) for item in value]
        return value

    def _text(self, text: str) -> str:
        named = _SESSION.sub(lambda match: match[1] + self._number("person", match[2]), redacted(text))
        return _IDENTIFYING.sub(lambda match: self._number(str(match.lastgroup), match[0]), named)

    def _number(self, kind: str, value: str) -> str:
        numbers = self._numbers[kind]
        return _FORMS[kind].format(numbers.setdefault(value, len(numbers) + 1))


_FORMS: Final = {
    "account": "{:012d}",
    "issuer": "OIDC{}",
    "person": "person-{}",
    "mail": "mail-{}",
    "key": "[access key {}]",
    "node": "node-{}",
    "endpoint": "endpoint-{}",
    "address": "address-{}",
    "instance": "i-{}",
}
_SESSION: Final = re.compile(r"(:assumed-role/[^/\s\"]+/)([^\s\",;)]+)")
_IDENTIFYING: Final = re.compile(
    r"""
      (?P<mail>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
    | (?<=:user/)(?P<person>[^\s",;)]+)
    | (?P<endpoint>\b[0-9A-F]{32}(?:\.[a-z0-9]+)?\.[a-z0-9-]+\.eks\.amazonaws\.com(?:\.cn)?)
    | (?P<node>\b(?:ip|i)-[0-9a-f-]{7,}(?:\.[a-z0-9-]+)*\.internal\b)
    | (?P<instance>\bi-[0-9a-f]{8,17}\b)
    | (?P<issuer>\b[0-9A-F]{32}\b)
    | (?P<key>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)
    | (?P<account>(?<![0-9A-Za-z])\d{12}(?![0-9A-Za-z]))
    | (?P<address>(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f:]*)
    """,
    re.VERBOSE,
)
