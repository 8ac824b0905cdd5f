"""Results of an evaluation: allowed, refused with its cause, or undecided with its reason."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class TrustFault(StrEnum):
    """Why a trust policy refuses. Of several near statements, the one with the smallest correction decides."""

    OTHER_ISSUER = "other-issuer"
    """A statement names another provider, or another issuer in its condition keys, and would otherwise admit the identity."""
    CONDITION_WRONG = "condition-wrong"
    """Provider and action are right, and a condition is not met: subject, audience, key or operator."""
    ACTION_MISSING = "action-missing"
    """Provider and conditions are right, and the required action is not named."""
    DENIED = "denied"
    """A Deny statement applies. It overrides every Allow."""
    NO_STATEMENT = "no-statement"
    """No Allow statement is near."""


@dataclass(frozen=True)
class Allowed:
    """The identity is admitted."""


@dataclass(frozen=True)
class Refused:
    """The identity is not admitted. `statement` is the Sid or position of the statement that `reason` is about, or None."""

    code: TrustFault
    reason: str
    statement: str | int | None


@dataclass(frozen=True)
class Undecided:
    """The answer depends on facts that are not known here, or IAM would not store the document."""

    reason: str


Answer: TypeAlias = Allowed | Refused | Undecided
