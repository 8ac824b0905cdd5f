"""Decisions of the IAM policy simulator about the calls of a role."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class RefusalCause(StrEnum):
    """Which policy refuses a call. Each cause needs another change."""

    NO_STATEMENT = "no-statement"  # no policy of the role allows the call
    EXPLICIT_DENY = "explicit-deny"  # a policy of the role denies it; attaching a policy does not help
    PERMISSIONS_BOUNDARY = "permissions-boundary"
    ORGANIZATION = "organization"  # a service control policy of the organization
    NOT_SIMULATED = "not-simulated"  # the simulation allows the call: an endpoint policy or a resource control policy refuses it


@dataclass(frozen=True, kw_only=True)
class CallDecision:
    """The decision about one call.

    `allowed` is True (shown allowed), False (shown refused) or None (not known: the decision depends on context that was not simulated).
    `cause` is set where the call is refused. `policies` are the names of the policies whose statements decided.
    """

    allowed: bool | None
    cause: RefusalCause | None = None
    policies: tuple[str, ...] = ()


Simulation = Mapping[str, CallDecision]
"""IAM action -> decision. A call that was not simulated is not in it."""

ALLOWED: Final = CallDecision(allowed=True)
NOT_KNOWN: Final = CallDecision(allowed=None)


def allowed_by(simulation: Simulation) -> dict[str, bool | None]:
    """`call -> allowed` of each simulated call."""
    return {call: decision.allowed for call, decision in simulation.items()}
