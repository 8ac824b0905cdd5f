"""What an evaluation answers: allowed, refused with its cause, or undecided with its reason."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class TrustFault(StrEnum):
    """Why a trust policy refuses. Where several statements come close, the one that needs the least change decides."""

    OTHER_ISSUER = "other-issuer"
    """A statement would let the identity in, but for another provider or another issuer in its condition keys."""
    CONDITION_WRONG = "condition-wrong"
    """The provider and the action are right, a condition is not met: subject, audience, key or operator."""
    ACTION_MISSING = "action-missing"
    """Provider and conditions are right, the action that is needed is not named."""
    DENIED = "denied"
    """A Deny statement applies; it stands whatever is allowed."""
    NO_STATEMENT = "no-statement"
    """No Allow statement comes near."""


@dataclass(frozen=True)
class Allowed:
    """The identity is let in."""


@dataclass(frozen=True)
class Refused:
    """The identity is not let in. `statement` is the Sid or the position of the statement `reason` is about, None where there is none."""

    code: TrustFault
    reason: str
    statement: str | int | None


@dataclass(frozen=True)
class Undecided:
    """The answer depends on what cannot be known from outside, or the document is not one that IAM would hold."""

    reason: str


Answer: TypeAlias = Allowed | Refused | Undecided
