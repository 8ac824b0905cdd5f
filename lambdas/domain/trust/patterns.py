"""Matching policy text against a value: wildcards, policy variables, ARNs part by part."""

import re
from enum import Enum
from typing import Final, TypeAlias

from lambdas.domain.trust.logic import Truth, all_of

_ARN_PARTS: Final = 6
_PIECES: Final = re.compile(r"\$\{[^}]*\}|.", re.DOTALL)
_SPECIAL: Final = ("*", "?", "${")
_ESCAPED: Final = {"${*}": "*", "${?}": "?", "${$}": "$"}
"""How a policy writes these characters literally.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html"""


class _Wild(Enum):
    ONE = "?"
    MANY = "*"


_Token: TypeAlias = str | _Wild


def matches(pattern: str, value: str, *, wildcards: bool, variables: bool) -> Truth:
    """Whether a policy's text matches a value, case-sensitively.

    Args:
        wildcards: `*` and `?` stand for any text and for one character.
        variables: `${...}` is a policy variable, as in version 2012-10-17. We do not know its value, so the answer
            is unknown where some value of it would match, and False where none would.
    """
    if not any(item in pattern for item in _SPECIAL):  # most texts are plain, and each diagnosis compares dozens of them
        return pattern == value
    tokens = _tokens(pattern, wildcards=wildcards, variables=variables)
    if not _fits(tokens, value):
        return False
    return None if variables and any(_is_variable(piece) for piece in _PIECES.findall(pattern)) else True


def arn_matches(pattern: str, value: str, *, variables: bool) -> Truth:
    """Whether an ARN pattern matches: six parts, compared one by one, so that a wildcard never crosses a colon.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
    """
    wanted, given = pattern.split(":", _ARN_PARTS - 1), value.split(":", _ARN_PARTS - 1)
    if len(given) != _ARN_PARTS:
        return False
    if variables and "${" in pattern:  # a variable's own colon hides where the parts end
        return None
    if len(wanted) != _ARN_PARTS:
        return False
    return all_of(matches(w, g, wildcards=True, variables=False) for w, g in zip(wanted, given, strict=True))


def _is_variable(piece: str) -> bool:
    return len(piece) > 1 and piece not in _ESCAPED


def _tokens(pattern: str, *, wildcards: bool, variables: bool) -> list[_Token]:
    pieces: list[str] = _PIECES.findall(pattern) if variables else list(pattern)
    return [_token(piece, wildcards=wildcards) for piece in pieces]


def _token(piece: str, *, wildcards: bool) -> _Token:
    if piece in _ESCAPED:
        return _ESCAPED[piece]
    if _is_variable(piece):
        return _Wild.MANY
    return _Wild(piece) if wildcards and piece in "*?" else piece


def _fits(tokens: list[_Token], value: str) -> bool:
    """Match without back-tracking further than the last `*`, so that no pattern is slow: at most tokens x characters steps."""
    at, star, resume, position = 0, -1, 0, 0
    while position < len(value):
        if at < len(tokens) and tokens[at] is _Wild.MANY:
            star, resume = at, position
            at += 1
        elif at < len(tokens) and tokens[at] in (_Wild.ONE, value[position]):
            at, position = at + 1, position + 1
        elif star >= 0:
            resume += 1
            at, position = star + 1, resume
        else:
            return False
    return all(token is _Wild.MANY for token in tokens[at:])
