"""The chain's links and what was found at each."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

from lambdas.contract.settings import Severity
from lambdas.domain.diagnosis.verdict import Verdict


class Link(IntEnum):
    """The identity chain, in the order in which a break upstream explains those downstream."""

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
        """What a person calls it."""
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
"""Links of the desired state: where one is broken, putting the role in would help nobody."""

READABLE_PRECONDITIONS: Final = (Link.ROLE, Link.OIDC_PROVIDER, Link.TRUST)
"""Guards that we are always granted to read, so that `unknown` means something. Permissions are read only where simulation is granted."""


class State(StrEnum):
    """What a link is."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Evidence:
    """One fact: which object, which field, what stood there, and since when where that is known (aware UTC)."""

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
    """What one link is, in a sentence, with the facts. `verdict` and `severity` are set where it is broken.

    `remedies` are the changes that a person has to make. `corrected` is the complete corrected document as JSON text, where there is one.
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
    def broken(self) -> bool:
        """Whether the chain breaks here."""
        return self.state is State.BROKEN


def ok(link: Link, sentence: str, *evidence: Evidence) -> Finding:
    """The link holds."""
    return Finding(link=link, state=State.OK, sentence=sentence, evidence=evidence)


def unknown(link: Link, reason: str) -> Finding:
    """The link could not be read, and why."""
    return Finding(link=link, state=State.UNKNOWN, sentence=reason)


def not_applicable(link: Link, reason: str) -> Finding:
    """The link does not count here, and why."""
    return Finding(link=link, state=State.NOT_APPLICABLE, sentence=reason)


def broken(
    link: Link,
    verdict: Verdict,
    sentence: str,
    *evidence: Evidence,
    severity: Severity = Severity.CRITICAL,
    remedies: tuple[Remedy, ...] = (),
) -> Finding:
    """The chain breaks here."""
    return Finding(
        link=link, state=State.BROKEN, sentence=sentence, evidence=evidence, verdict=verdict, severity=severity, remedies=remedies
    )
