"""How near an Allow statement is to admitting an identity, and the statement after the smallest correction."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from lambdas.domain.trust.document import Effect, read_statement
from lambdas.domain.trust.draft import Draft, Flaw
from lambdas.domain.trust.identity import WebIdentity, request_of
from lambdas.domain.trust.results import TrustFault
from lambdas.domain.trust.statements import action_matches, applies, principal_matches

_NOBODY: Final = "system:serviceaccount:0:0"
_CODES: Final = {
    Flaw.ACTION: TrustFault.ACTION_MISSING,
    Flaw.KEY: TrustFault.CONDITION_WRONG,
    Flaw.OPERATOR: TrustFault.CONDITION_WRONG,
    Flaw.SPELLING: TrustFault.OTHER_ISSUER,
    Flaw.ISSUER: TrustFault.OTHER_ISSUER,
    Flaw.VALUE: TrustFault.CONDITION_WRONG,
    Flaw.OTHER: TrustFault.CONDITION_WRONG,
}


@dataclass(frozen=True, kw_only=True)
class Repair:
    """The correction of one statement. `statement` is the corrected JSON; None where no small change suffices, or where it would admit
    every
    pod of the cluster.
    """

    index: int
    label: str | int
    flaws: Mapping[Flaw, str]
    statement: Mapping[str, object] | None

    @property
    def code(self) -> TrustFault:
        """The code of the worst flaw."""
        return _CODES[max(self.flaws)]

    @property
    def reason(self) -> str:
        """All flaws as text, the worst first."""
        return "; ".join(self.flaws[flaw] for flaw in sorted(self.flaws, reverse=True))

    @property
    def distance(self) -> tuple[int, str, int]:
        """Sort key, nearest first. Ties do not depend on the order of statements."""
        return sum(self.flaws), self.code, self.index


def repairs(statements: Iterable[object], identity: WebIdentity, *, variables: bool) -> list[Repair]:
    """Corrections of the Allow statements that nearly admit the identity, nearest first.

    Args:
        statements: the JSON of well-formed statements, none of which admits the identity.
        variables: as `Document.variables`.
    """
    found = (_repair(raw, index, identity, variables=variables) for index, raw in enumerate(statements))
    return sorted((item for item in found if item), key=lambda item: item.distance)


def _repair(raw: object, index: int, identity: WebIdentity, *, variables: bool) -> Repair | None:
    statement, request = read_statement(raw, index), request_of(identity)
    if statement.effect is not Effect.ALLOW:
        return None
    attempt = Draft(json=cast("dict[str, Any]", deepcopy(raw)), identity=identity, variables=variables, flaws={})
    if attempt.mend(statement):
        corrected = None if _allows_any_caller(attempt) else attempt.json
        return Repair(index=index, label=statement.label, flaws=attempt.flaws, statement=corrected)
    if not principal_matches(statement, request) or not action_matches(statement, request):
        return None
    unmet = "; ".join(f"{item.operator} on {item.key} is not met" for item in attempt.unmet(statement))
    return Repair(index=index, label=statement.label, flaws={Flaw.OTHER: unmet}, statement=None)


def _allows_any_caller(attempt: Draft) -> bool:
    """Whether the statement has no condition on a subject, so that correcting it would admit every pod of the cluster."""
    stranger = replace(attempt.identity, subject=_NOBODY)
    return applies(attempt.statement, request_of(stranger), variables=attempt.variables) is not False
