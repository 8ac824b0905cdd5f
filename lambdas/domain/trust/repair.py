"""How far an Allow statement is from letting an identity in, and the statement after the least change that does."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, TypeAlias, cast

from lambdas.domain.trust.conditions import holds, operator
from lambdas.domain.trust.document import Condition, Effect, Statement, read_statement
from lambdas.domain.trust.identity import ACTION, FEDERATED, WebIdentity, difference, is_cluster_issuer, issuer_in, request_of, same_cluster
from lambdas.domain.trust.results import TrustFault
from lambdas.domain.trust.statements import action_matches, applies, principal_matches
from lambdas.domain.trust.values import LIKE, fits_like, with_value

_Draft: TypeAlias = dict[str, Any]
"""A statement's JSON, being changed."""

_USELESS_WITH_A_TOKEN: Final = {"sts:assumerole", "sts:assumerolewithsaml"}


class Flaw(IntEnum):
    """What is wrong with a statement; the value is how much it says that the statement was meant for somebody else."""

    ACTION = 1
    KEY = 2
    OPERATOR = 3
    SPELLING = 4
    """The cluster's own issuer under another host or account."""
    ISSUER = 6
    VALUE = 9
    OTHER = 12


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
    """One statement's way to let the identity in. `statement` is its JSON afterwards, None where no small change does."""

    index: int
    label: str | int
    flaws: Mapping[Flaw, str]
    statement: Mapping[str, object] | None

    @property
    def code(self) -> TrustFault:
        """The gravest flaw's code."""
        return _CODES[max(self.flaws)]

    @property
    def reason(self) -> str:
        """All flaws in words, the gravest first."""
        return "; ".join(self.flaws[flaw] for flaw in sorted(self.flaws, reverse=True))

    @property
    def distance(self) -> tuple[int, str, int]:
        """Sorts the nearest first; of two that are equally near, the choice of the code does not depend on their order."""
        return sum(self.flaws), self.code, self.index


def repairs(statements: Iterable[object], identity: WebIdentity, *, variables: bool) -> list[Repair]:
    """The Allow statements that come near to letting the identity in, nearest first.

    Args:
        statements: the JSON of well-formed statements, none of which lets the identity in.
        variables: as `Document.variables`.
    """
    found = (_repair(raw, index, identity, variables=variables) for index, raw in enumerate(statements))
    return sorted((it for it in found if it), key=lambda it: it.distance)


def _repair(raw: object, index: int, identity: WebIdentity, *, variables: bool) -> Repair | None:
    statement, request = read_statement(raw, index), request_of(identity)
    if statement.effect is not Effect.ALLOW:
        return None
    attempt = _Attempt(draft=cast("_Draft", deepcopy(raw)), identity=identity, variables=variables, flaws={})
    if not attempt.fix_principal(statement):
        return None
    attempt.fix_action(statement)
    attempt.fix_keys()
    attempt.fix_values()
    meant_for_another = Flaw.VALUE in attempt.flaws and bool({Flaw.ISSUER, Flaw.SPELLING} & attempt.flaws.keys())
    if applies(attempt.statement, request, variables=variables) is True and not meant_for_another:
        return Repair(index=index, label=statement.label, flaws=attempt.flaws, statement=attempt.draft)
    if not principal_matches(statement, request) or not action_matches(statement, request):
        return None
    unmet = "; ".join(f"{it.operator} on {it.key} is not met" for it in attempt.unmet(statement))
    return Repair(index=index, label=statement.label, flaws={Flaw.OTHER: unmet}, statement=None)


@dataclass(frozen=True, kw_only=True)
class _Attempt:
    """A statement under repair; each `fix_` changes the draft and notes the flaw it found."""

    draft: _Draft
    identity: WebIdentity
    variables: bool
    flaws: dict[Flaw, str]

    @property
    def statement(self) -> Statement:
        return read_statement(self.draft, 0)

    def unmet(self, statement: Statement) -> list[Condition]:
        context = request_of(self.identity).context
        return [it for it in statement.conditions if holds(it, context, variables=self.variables) is False]

    def fix_principal(self, statement: Statement) -> bool:
        """Put the right provider in the place of another cluster's; False where the statement is about somebody else."""
        if principal_matches(statement, request_of(self.identity)) is not False:
            return True
        names = statement.principals.get(FEDERATED, ())
        if not names or not all(self._is_a_cluster(name) for name in names):
            return False
        self._note_issuer(names[0])
        own, was = self.identity.provider_arn, self.draft["Principal"][FEDERATED]
        self.draft["Principal"][FEDERATED] = own if isinstance(was, str) else [own] if len(names) == 1 else [*names, own]
        return True

    def fix_action(self, statement: Statement) -> None:
        if action_matches(statement, request_of(self.identity)) or statement.except_actions:
            return
        self._note(Flaw.ACTION, f"it allows {', '.join(statement.actions)}, not {ACTION}")
        alone = set(statement.principals) == {FEDERATED}
        kept = [it for it in statement.actions if not (alone and it.lower() in _USELESS_WITH_A_TOKEN)]
        single = isinstance(self.draft["Action"], str) and not kept
        self.draft["Action"] = ACTION if single else [*kept, ACTION]

    def fix_keys(self) -> None:
        """Give keys that carry the provider's ARN, a URL or another cluster's issuer the name that IAM looks for."""
        for condition in self.unmet(self.statement):
            prefix, _, claim = condition.key.rpartition(":")
            wanted = f"{self.identity.issuer}:{claim.lower()}"
            if wanted not in self.identity.claims or condition.key.lower() == wanted.lower():
                continue
            ours = issuer_in(prefix).lower() in ("", self.identity.issuer.lower())
            if not (ours or (is_cluster_issuer(issuer_in(prefix)) and self._one_provider())) or not self._rename(condition, wanted):
                continue
            if ours:
                self._note(Flaw.KEY, f'IAM fills "{wanted}", never "{condition.key}"')
            else:
                self._note_issuer(prefix)

    def fix_values(self) -> None:
        """Let the identity's own subject and audience match, under the same operator if it can."""
        for condition in self.unmet(self.statement):
            wanted = next((value for key, value in self.identity.claims.items() if key.lower() == condition.key.lower()), None)
            found = operator(condition.operator)
            if wanted is None or found is None or found.negative:
                continue
            like = found.with_base(LIKE)
            if fits_like(condition.values, wanted, variables=self.variables):
                if self._move(condition, like):
                    self._note(Flaw.OPERATOR, f"{condition.operator} takes the wildcard in {_quoted(condition)} literally")
            else:
                block = self.draft["Condition"][condition.operator]
                block[condition.key] = with_value(block[condition.key], wanted)
                self._note(Flaw.VALUE, f'{condition.key} must be {_quoted(condition)}, the pod presents "{wanted}"')

    def _is_a_cluster(self, name: str) -> bool:
        return is_cluster_issuer(issuer_in(name)) or issuer_in(name) == self.identity.issuer

    def _one_provider(self) -> bool:
        return len(self.statement.principals.get(FEDERATED, ())) <= 1

    def _note(self, flaw: Flaw, reason: str) -> None:
        known = self.flaws.get(flaw)
        self.flaws[flaw] = reason if known in (None, reason) else f"{known}; {reason}"

    def _note_issuer(self, found: str) -> None:
        own = same_cluster(issuer_in(found), self.identity.issuer)
        self._note(Flaw.SPELLING if own else Flaw.ISSUER, difference(found, self.identity))

    def _rename(self, condition: Condition, wanted: str) -> bool:
        """Give a key another name; not where the operator tests that name already."""
        block = self.draft["Condition"][condition.operator]
        if any(key.lower() == wanted.lower() for key in block):
            return False
        self.draft["Condition"][condition.operator] = {wanted if key == condition.key else key: values for key, values in block.items()}
        return True

    def _move(self, condition: Condition, to: str) -> bool:
        """Put a key under another operator; not where that operator tests the key already."""
        conditions = self.draft["Condition"]
        if any(key.lower() == condition.key.lower() for key in conditions.get(to, {})):
            return False
        values = conditions[condition.operator].pop(condition.key)
        if to in conditions:
            conditions[to][condition.key] = values
        else:
            conditions = _inserted_after(conditions, condition.operator, to, {condition.key: values})
        self.draft["Condition"] = {name: block for name, block in conditions.items() if block}
        return True


def _inserted_after(conditions: _Draft, place: str, name: str, block: _Draft) -> _Draft:
    """The new operator stands where the old one stood, so that the change reads as one."""
    return {
        key: value for was, old in conditions.items() for key, value in (((was, old), (name, block)) if was == place else ((was, old),))
    }


def _quoted(condition: Condition) -> str:
    return " or ".join(f'"{value}"' for value in condition.values)
