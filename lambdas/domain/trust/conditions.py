"""IAM condition operators, evaluated for web identity and Pod Identity requests.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
and for the set operators
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from lambdas.domain.trust.document import Condition
from lambdas.domain.trust.logic import Truth, any_of, negated
from lambdas.domain.trust.patterns import arn_matches, matches

_FOR_ALL: Final = "ForAllValues:"
_FOR_ANY: Final = "ForAnyValue:"
_IF_EXISTS: Final = "IfExists"
_BOOLEANS: Final = ("true", "false")


class _Compare(Enum):
    EXACT = auto()
    FOLDED = auto()
    LIKE = auto()
    ARN = auto()
    BOOLEAN = auto()
    PRESENCE = auto()
    TYPED = auto()
    """Numbers, dates, addresses and binary values. The value of such a key is never known here, only whether the key is present."""


_COMPARES: Final = {
    "StringEquals": (_Compare.EXACT, False),
    "StringNotEquals": (_Compare.EXACT, True),
    "StringEqualsIgnoreCase": (_Compare.FOLDED, False),
    "StringNotEqualsIgnoreCase": (_Compare.FOLDED, True),
    "StringLike": (_Compare.LIKE, False),
    "StringNotLike": (_Compare.LIKE, True),
    "ArnEquals": (_Compare.ARN, False),
    "ArnLike": (_Compare.ARN, False),
    "ArnNotEquals": (_Compare.ARN, True),
    "ArnNotLike": (_Compare.ARN, True),
    "Bool": (_Compare.BOOLEAN, False),
    "Null": (_Compare.PRESENCE, False),
    "BinaryEquals": (_Compare.TYPED, False),
    "IpAddress": (_Compare.TYPED, False),
    "NotIpAddress": (_Compare.TYPED, True),
    **{
        f"{kind}{order}": (_Compare.TYPED, order == "NotEquals")
        for kind in ("Numeric", "Date")
        for order in ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
    },
}


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A parsed operator name such as `ForAnyValue:StringLikeIfExists`."""

    quantifier: str
    base: str
    if_exists: bool

    @property
    def compare(self) -> _Compare:
        """How values are compared, before negation."""
        return _COMPARES[self.base][0]

    @property
    def negative(self) -> bool:
        """Whether the operator is negated."""
        return _COMPARES[self.base][1]

    def with_base(self, base: str) -> str:
        """The name of the same operator with another comparison."""
        return self.quantifier + base + (_IF_EXISTS if self.if_exists else "")


@dataclass(frozen=True, kw_only=True)
class Context:
    """The condition keys of a request.

    `known` maps lower-case keys to their single value. Keys with a prefix in `opaque` may be present with unknown values, except those
    with a prefix in `absent`. Other keys are not part of the request.
    """

    known: Mapping[str, str]
    opaque: tuple[str, ...]
    absent: tuple[str, ...] = ()


def operator(name: str) -> Operator | None:
    """Parse an operator name; None where IAM does not document it in this spelling."""
    quantifier = next((item for item in (_FOR_ALL, _FOR_ANY) if name.startswith(item)), "")
    base, if_exists = name.removeprefix(quantifier).removesuffix(_IF_EXISTS), name.endswith(_IF_EXISTS)
    if base not in _COMPARES or (base == "Null" and (quantifier or if_exists)):
        return None
    return Operator(quantifier=quantifier, base=base, if_exists=if_exists)


def holds(condition: Condition, context: Context, *, variables: bool) -> Truth:
    """Whether one condition is met; unknown where the operator, the key or a variable cannot be evaluated.

    Keys are compared without case, values with case.
    """
    found, key = operator(condition.operator), condition.key.lower()
    if found is None or not condition.values:
        return None
    if key not in context.known and key.startswith(context.opaque) and not key.startswith(context.absent):
        return None
    if found.compare is _Compare.PRESENCE:
        return _presence(condition.values, present=key in context.known)
    if key not in context.known:
        return _without_key(found)
    met = any_of(_match(found.compare, value, context.known[key], variables=variables) for value in condition.values)
    return negated(met) if found.negative else met


def _presence(values: tuple[str, ...], *, present: bool) -> Truth:
    """`Null: true` requires the key to be absent, `Null: false` to be present."""
    values_lower = {value.lower() for value in values}
    if not values_lower <= set(_BOOLEANS):
        return None
    return ("false" if present else "true") in values_lower


def _without_key(found: Operator) -> Truth:
    """An absent key meets negated operators, `IfExists` and `ForAllValues`. `ForAnyValue` with `IfExists` is not documented."""
    if found.quantifier == _FOR_ALL:
        return True
    if found.quantifier == _FOR_ANY:
        return None if found.if_exists else False
    return found.if_exists or found.negative


def _match(compare: _Compare, wanted: str, given: str, *, variables: bool) -> Truth:
    match compare:
        case _Compare.EXACT | _Compare.LIKE:
            return matches(wanted, given, wildcards=compare is _Compare.LIKE, variables=variables)
        case _Compare.FOLDED:
            return matches(wanted.lower(), given.lower(), wildcards=False, variables=variables)
        case _Compare.ARN:
            return arn_matches(wanted, given, variables=variables)
        case _Compare.BOOLEAN if given.lower() in _BOOLEANS and wanted.lower() in _BOOLEANS:
            return wanted.lower() == given.lower()
        case _:
            return None
