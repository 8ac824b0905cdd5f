"""CloudWatch Logs filter patterns for JSON, as far as ours goes: selectors, = and !=, wildcards, NOT EXISTS, && and ||, parentheses.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import fnmatch
import re
from collections.abc import Callable
from typing import Any

Predicate = Callable[[Any], bool]
_TOKEN = re.compile(r'\s*(\{|\}|\(|\)|&&|\|\||!=|=|NOT EXISTS|"[^"]*"|\$(?:\.[A-Za-z_$/]+|\[\d+\])+)')
_ABSENT = object()


def compiled(pattern: str) -> Predicate:
    """A test of one parsed log line. Raises ValueError for a pattern that is not of this grammar."""
    tokens = _tokens(pattern)
    _expect(tokens, "{")
    matches = _either(tokens)
    _expect(tokens, "}")
    if tokens:
        raise ValueError(f"after the pattern: {tokens[0]}")
    return matches


def _tokens(pattern: str) -> list[str]:
    found, end = [], 0
    while pattern[end:].strip():
        match = _TOKEN.match(pattern, end)
        if match is None:
            raise ValueError(f"no token at {pattern[end : end + 30]!r}")
        found.append(match[1])
        end = match.end()
    return found


def _expect(tokens: list[str], wanted: str) -> None:
    if not tokens or tokens.pop(0) != wanted:
        raise ValueError(f"{wanted} expected")


def _either(tokens: list[str]) -> Predicate:
    parts = [_both(tokens)]
    while tokens and tokens[0] == "||":
        tokens.pop(0)
        parts.append(_both(tokens))
    return lambda line: any(part(line) for part in parts)


def _both(tokens: list[str]) -> Predicate:
    parts = [_term(tokens)]
    while tokens and tokens[0] == "&&":
        tokens.pop(0)
        parts.append(_term(tokens))
    return lambda line: all(part(line) for part in parts)


def _term(tokens: list[str]) -> Predicate:
    first = tokens.pop(0)
    if first == "(":
        inner = _either(tokens)
        _expect(tokens, ")")
        return inner
    if not first.startswith("$"):
        raise ValueError(f"a selector expected, not {first}")
    operator = tokens.pop(0)
    if operator == "NOT EXISTS":
        return lambda line: _selected(line, first) is _ABSENT
    wanted = tokens.pop(0).strip('"')
    if operator == "=":
        return lambda line: _equal(_selected(line, first), wanted)
    return lambda line: _selected(line, first) is not _ABSENT and not _equal(_selected(line, first), wanted)


def _equal(value: object, wanted: str) -> bool:
    return isinstance(value, str) and fnmatch.fnmatchcase(value, wanted.replace("[", "[[]").replace("?", "[?]"))


def _selected(line: Any, selector: str) -> Any:
    for key, index in re.findall(r"\.([A-Za-z_$/]+)|\[(\d+)\]", selector):
        try:
            line = line[key] if key else line[int(index)]
        except (KeyError, IndexError, TypeError):
            return _ABSENT
    return line
