"""Matches policy text with a value: wildcards, policy variables, and ARNs part by part."""

import re
from enum import Enum
from typing import Final, TypeAlias

from lambdas.domain.trust.logic import Truth, all_of

_ARN_PARTS: Final = 6
_PIECES: Final = re.compile(r"\$\{[^}]*\}|.", re.DOTALL)
_SPECIAL: Final = ("*", "?", "${")
_ESCAPED: Final = {"${*}": "*", "${?}": "?", "${$}": "$"}
"""The escapes of these characters in a policy.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
"""


class _Wild(Enum):
    ONE = "?"
    MANY = "*"


_Token: TypeAlias = str | _Wild


def matches(pattern: str, value: str, *, wildcards: bool, variables: bool) -> Truth:
    """Whether a policy text matches a value, with case.

    Args:
        wildcards: `*` and `?` match any text and one character.
        variables: `${...}` is a policy variable (version 2012-10-17). Its value is not known: the result is unknown where some value
            would
            match, and False where none would.
    """
    if not any(item in pattern for item in _SPECIAL):  # most texts are plain, and each diagnosis compares dozens
        return pattern == value
    tokens = _tokens(pattern, wildcards=wildcards, variables=variables)
    if not _fits(tokens, value):
        return False
    return None if variables and any(_is_variable(piece) for piece in _PIECES.findall(pattern)) else True


def arn_matches(pattern: str, value: str, *, variables: bool) -> Truth:
    """Whether an ARN pattern matches. The six parts are compared one by one, so a wildcard never matches a colon.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
    """
    pattern_parts, value_parts = pattern.split(":", _ARN_PARTS - 1), value.split(":", _ARN_PARTS - 1)
    if len(value_parts) != _ARN_PARTS:
        return False
    if variables and "${" in pattern:  # a colon inside a variable hides where the parts end
        return None
    if len(pattern_parts) != _ARN_PARTS:
        return False
    return all_of(matches(w, g, wildcards=True, variables=False) for w, g in zip(pattern_parts, value_parts, strict=True))


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
    return _Wild(piece) if wildcards and piece in ("*", "?") else piece


def _fits(tokens: list[_Token], value: str) -> bool:
    """Match without backtracking beyond the last `*`: at most tokens x characters steps for any pattern."""
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
