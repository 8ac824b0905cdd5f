"""The links of the identity chain, and findings about them."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

from lambdas.contract.parameters import KUBERNETES_NAME
from lambdas.contract.settings import Severity
from lambdas.domain.diagnosis.verdict import Verdict


class Link(IntEnum):
    """The identity chain in causal order: a broken link explains those after it."""

    CLUSTER = 1
    WORKLOAD = 2
    MECHANISM = 3
    ROLE = 4
    OIDC_PROVIDER = 5
    TRUST = 6
    PERMISSIONS = 7
    ADDON_RECORD = 8
    ANNOTATION = 9
    PODS = 10
    PERMISSION_ERRORS = 11
    NODES = 12

    @property
    def title(self) -> str:
        """The name of the link in tables and messages."""
        return _TITLES[self]


_TITLES: Final = {
    Link.CLUSTER: "cluster reachable",
    Link.WORKLOAD: "workload",
    Link.MECHANISM: "mechanism",
    Link.ROLE: "role",
    Link.OIDC_PROVIDER: "OIDC provider",
    Link.TRUST: "trust policy",
    Link.PERMISSIONS: "permissions",
    Link.ADDON_RECORD: "add-on record",
    Link.ANNOTATION: "annotation",
    Link.PODS: "pods",
    Link.PERMISSION_ERRORS: "permission errors",
    Link.NODES: "nodes",
}

PRECONDITIONS: Final = (Link.ROLE, Link.OIDC_PROVIDER, Link.TRUST, Link.PERMISSIONS)
"""Links of the desired role. Where one is broken, setting the annotation would not fix the identity."""

READABLE_PRECONDITIONS: Final = (Link.ROLE, Link.OIDC_PROVIDER, Link.TRUST)
"""Preconditions whose read access is always granted. Permissions are read only where simulation is granted."""


class State(StrEnum):
    """The state of a link."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True)
class Evidence:
    """One fact: object, field, value, and since when, where that is known (aware UTC)."""

    subject: str
    field: str
    value: str
    at: datetime | None = None


@dataclass(frozen=True)
class Remedy:
    """One change that a person has to make.

    `command` makes the change; it holds validated identifiers only and is empty where no command does it. `diff` holds the lines of a
    document that change, as pairs of the old and the new line.
    """

    text: str
    command: str = ""
    diff: tuple[tuple[str, str], ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """The remedy as lines of text."""
        if self.diff:
            return (f"{self.text}:", *(f"{old}  →  {new}" for old, new in self.diff), self.command)
        return (f"{self.text}: {self.command}" if self.command else self.text,)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The state of one link, as a sentence with evidence. `verdict` and `severity` are set where it is broken.

    `remedies` are the changes that a person has to make. `corrected` is the complete corrected document as JSON text, where there is
    one.
    `advice` is a note for a link that is not broken. `ends_with_identity` is set where the fault ends once the identity works.
    """

    link: Link
    state: State
    sentence: str
    evidence: tuple[Evidence, ...] = ()
    verdict: Verdict | None = None
    severity: Severity = Severity.INFO
    remedies: tuple[Remedy, ...] = ()
    corrected: str = ""
    advice: str = ""
    ends_with_identity: bool = False

    @property
    def is_broken(self) -> bool:
        """Whether the link is broken."""
        return self.state is State.BROKEN


def ok(link: Link, sentence: str, *evidence: Evidence) -> Finding:
    """A finding for a link that holds."""
    return Finding(link=link, state=State.OK, sentence=sentence, evidence=evidence)


def unknown(link: Link, reason: str) -> Finding:
    """A finding for a link that could not be read, with the reason."""
    return Finding(link=link, state=State.UNKNOWN, sentence=reason)


def not_applicable(link: Link, reason: str) -> Finding:
    """A finding for a link that does not apply, with the reason."""
    return Finding(link=link, state=State.NOT_APPLICABLE, sentence=reason)


def broken(
    link: Link,
    verdict: Verdict,
    sentence: str,
    *evidence: Evidence,
    severity: Severity = Severity.CRITICAL,
    remedies: tuple[Remedy, ...] = (),
) -> Finding:
    """A finding for a broken link."""
    return Finding(
        link=link, state=State.BROKEN, sentence=sentence, evidence=evidence, verdict=verdict, severity=severity, remedies=remedies
    )


def object_name(name: str) -> str:
    """A name from a cluster for a remedy; a placeholder where it is not a valid Kubernetes name, so that it never becomes a command."""
    return name if KUBERNETES_NAME.match(name) else "<name>"
