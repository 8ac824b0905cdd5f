"""An Allow statement that is corrected step by step until it admits an identity."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from lambdas.domain.trust.conditions import Operator, holds, operator
from lambdas.domain.trust.document import Condition, Statement, read_statement
from lambdas.domain.trust.identity import ACTION, FEDERATED, WebIdentity, difference, is_cluster_issuer, issuer_in, request_of, same_cluster
from lambdas.domain.trust.statements import action_matches, applies
from lambdas.domain.trust.values import EQUALS, LIKE, fits_like, texts_in, with_value

_USELESS_WITH_A_TOKEN: Final = {"sts:assumerole", "sts:assumerolewithsaml"}


class Flaw(IntEnum):
    """A flaw of a statement. The value ranks how likely the statement was meant for another workload."""

    ACTION = 1
    KEY = 2
    OPERATOR = 3
    SPELLING = 4
    """The cluster's own issuer with another host or account."""
    ISSUER = 6
    VALUE = 9
    OTHER = 12


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The JSON of an Allow statement under correction. Each `fix_` method changes it and records the flaw."""

    json: dict[str, Any]
    identity: WebIdentity
    variables: bool
    flaws: dict[Flaw, str]

    def mend(self, statement: Statement) -> bool:
        """Apply every fix. Returns True where the statement then admits the identity and was not meant for another workload.

        Only statements with a provider are corrected: correcting one that admits everyone would open the role to the world.
        """
        if not self.fix_principal(statement):
            return False
        self.fix_action(statement)
        self.fix_keys()
        self.fix_values()
        self.fix_operators()
        elsewhere = bool({Flaw.ISSUER, Flaw.SPELLING} & self.flaws.keys())
        if elsewhere and Flaw.VALUE in self.flaws:
            return False
        return applies(self.statement, request_of(self.identity), variables=self.variables) is True

    @property
    def statement(self) -> Statement:
        return read_statement(self.json, 0)

    def unmet(self, statement: Statement) -> list[Condition]:
        context = request_of(self.identity).context
        return [condition for condition in statement.conditions if holds(condition, context, variables=self.variables) is False]

    def fix_principal(self, statement: Statement) -> bool:
        """Replace the provider of another cluster by the right one. Returns False where the statement is about another principal."""
        names = statement.principals.get(FEDERATED, ())
        if statement.except_principals or not names:
            return False
        if self.identity.provider_arn in names:
            return True
        if not all(self._is_a_cluster(name) for name in names):
            return False
        self._note_issuer(names[0])
        own, was = self.identity.provider_arn, self.json["Principal"][FEDERATED]
        self.json["Principal"][FEDERATED] = own if isinstance(was, str) else [own] if len(names) == 1 else [*names, own]
        return True

    def fix_action(self, statement: Statement) -> None:
        if action_matches(statement, request_of(self.identity)) or statement.except_actions:
            return
        self._note(Flaw.ACTION, f"it allows {', '.join(statement.actions)}, not {ACTION}")
        alone = set(statement.principals) == {FEDERATED}
        remaining = [action for action in statement.actions if not (alone and action.lower() in _USELESS_WITH_A_TOKEN)]
        single = isinstance(self.json["Action"], str) and not remaining
        self.json["Action"] = ACTION if single else [*remaining, ACTION]

    def fix_keys(self) -> None:
        """Rename condition keys that contain the provider's ARN, a URL or another cluster's issuer to the key that IAM evaluates."""
        for condition in self.unmet(self.statement):
            prefix, _, claim = condition.key.rpartition(":")
            condition_key = f"{self.identity.issuer}:{claim.lower()}"
            if condition_key not in self.identity.claims:
                continue
            ours = issuer_in(prefix).lower() in ("", self.identity.issuer.lower())
            if not (ours or (is_cluster_issuer(issuer_in(prefix)) and self._one_provider())) or not self._rename(condition, condition_key):
                continue
            if ours:
                self._note(Flaw.KEY, f'IAM fills "{condition_key}", never "{condition.key}"')
            else:
                self._note_issuer(prefix)

    def fix_values(self) -> None:
        """Make the identity's subject and audience match under the existing operators."""
        for condition, wanted, _ in self._claims_unmet():
            if fits_like(condition.values, wanted, variables=self.variables):
                continue
            block = self.json["Condition"][condition.operator]
            block[condition.key] = with_value(block[condition.key], wanted)
            self._note(Flaw.VALUE, f'{condition.key} must be {_quoted(condition)}, the pod presents "{wanted}"')

    def fix_operators(self) -> None:
        """Move wildcards to an operator that supports them."""
        for condition, wanted, found in self._claims_unmet():
            if fits_like(condition.values, wanted, variables=self.variables) and self._move(condition, found):
                self._note(Flaw.OPERATOR, f"{condition.operator} takes the wildcard in {_quoted(condition)} literally")

    def _claims_unmet(self) -> list[tuple[Condition, str, Operator]]:
        """Unmet positive conditions on subject or audience, with the value that would meet them."""
        claims = {key.lower(): value for key, value in self.identity.claims.items()}
        known = ((item, claims.get(item.key.lower()), operator(item.operator)) for item in self.unmet(self.statement))
        return [(item, wanted, found) for item, wanted, found in known if wanted and found and not found.negative]

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
        """Rename a key, unless the operator already tests the new name."""
        block = self.json["Condition"][condition.operator]
        if any(key.lower() == wanted.lower() for key in block):
            return False
        self.json["Condition"][condition.operator] = {wanted if key == condition.key else key: values for key, values in block.items()}
        return True

    def _move(self, condition: Condition, found: Operator) -> bool:
        """Move a key to the operator with wildcards, unless that operator already tests the key.

        The whole block moves where this does not change its other keys, so that one line changes instead of a new block.
        """
        to, conditions = found.with_base(LIKE), self.json["Condition"]
        if any(key.lower() == condition.key.lower() for key in conditions.get(to, {})):
            return False
        others = {key: values for key, values in conditions[condition.operator].items() if key != condition.key}
        if to not in conditions and (not others or (found.base == EQUALS and not _has_wildcards(others))):
            self.json["Condition"] = {to if name == condition.operator else name: block for name, block in conditions.items()}
            return True
        conditions.setdefault(to, {})[condition.key] = conditions[condition.operator].pop(condition.key)
        self.json["Condition"] = {name: block for name, block in conditions.items() if block}
        return True


def _has_wildcards(block: Mapping[str, Any]) -> bool:
    return any(mark in value for values in block.values() for value in texts_in(values) for mark in "*?")


def _quoted(condition: Condition) -> str:
    return " or ".join(f'"{value}"' for value in condition.values)
