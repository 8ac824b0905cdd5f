"""Parses a mapping into a frozen dataclass and reports each wrong key with its value and the allowed values."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final, TypeVar

T = TypeVar("T")
Parse = Callable[[object, str], T]
"""Parses a raw value. The second argument is the path of its key, for the message."""

_LONGEST_SHOWN: Final = 80


@dataclass(frozen=True)
class Problem:
    """One wrong value: the path of its key, the value and what is allowed."""

    key: str
    value: object
    allowed: str

    def __str__(self) -> str:
        shown = repr(self.value)
        return f"{self.key}: {shown[:_LONGEST_SHOWN]}{'…' if len(shown) > _LONGEST_SHOWN else ''} is not allowed; allowed: {self.allowed}"


class InvalidConfiguration(ValueError):
    """The configuration is invalid; the message lists every problem."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def declare(parse: Parse[T], meaning: str, default: object = MISSING) -> Any:  # a dataclass field, typed by its annotation
    """Declare one key with its parser and meaning. A key without default is required."""
    return field(default=default, metadata={"parse": parse, "meaning": meaning})


def mapping(cls: type[T]) -> Parse[T]:
    """Return a parser for a nested mapping."""

    def parse(raw: object, where: str) -> T:
        return parse_mapping(cls, raw, where)

    return parse


def parse_mapping(cls: type[T], raw: object, where: str = "") -> T:
    """Parse a mapping into `cls`, whose fields are created by `declare`.

    Raises:
        InvalidConfiguration: with a problem for each unknown key, missing key and wrong value.
    """
    declared = {key.name: key for key in fields(cls)}  # type: ignore[arg-type]  # every cls here is a dataclass
    names = "the keys " + ", ".join(declared)
    if not isinstance(raw, Mapping):
        raise InvalidConfiguration(Problem(where or "configuration", raw, names))
    problems = [Problem(_under(where, str(name)), raw[name], names) for name in raw if name not in declared]
    values: dict[str, object] = {}
    for name, key in declared.items():
        if name in raw:
            try:
                values[name] = key.metadata["parse"](raw[name], _under(where, name))
            except InvalidConfiguration as error:
                problems += error.problems
        elif key.default is MISSING:
            problems.append(Problem(_under(where, name), None, key.metadata["meaning"]))
    if problems:
        raise InvalidConfiguration(*problems)
    return cls(**values)


def sequence(parse: Parse[T]) -> Parse[tuple[T, ...]]:
    """Return a parser for a list; `parse` parses its items."""

    def parse_all(raw: object, where: str) -> tuple[T, ...]:
        if not isinstance(raw, Sequence) or isinstance(raw, str):
            raise InvalidConfiguration(Problem(where, raw, "a list"))
        items: list[T] = []
        problems: list[Problem] = []
        for index, entry in enumerate(raw):
            try:
                items.append(parse(entry, f"{where}[{index}]"))
            except InvalidConfiguration as error:
                problems += error.problems
        if problems:
            raise InvalidConfiguration(*problems)
        return tuple(items)

    return parse_all


def text(pattern: str, allowed: str) -> Parse[str]:
    """Return a parser for a string that fully matches a regular expression."""
    compiled = re.compile(pattern)

    def parse(raw: object, where: str) -> str:
        if not isinstance(raw, str) or not compiled.fullmatch(raw):
            raise InvalidConfiguration(Problem(where, raw, allowed))
        return raw

    return parse


def choice(*choices: T) -> Parse[T]:
    """Return a parser for one of several values."""

    def parse(raw: object, where: str) -> T:
        for choice in choices:
            if type(raw) is type(choice) and raw == choice:
                return choice
        raise InvalidConfiguration(Problem(where, raw, "one of " + ", ".join(map(str, choices))))

    return parse


def integer(at_least: int, at_most: int) -> Parse[int]:
    """Return a parser for an integer within bounds. A YAML boolean is not an integer."""

    def parse(raw: object, where: str) -> int:
        if not isinstance(raw, int) or isinstance(raw, bool) or not at_least <= raw <= at_most:
            raise InvalidConfiguration(Problem(where, raw, f"a whole number from {at_least} to {at_most}"))
        return raw

    return parse


def string_mapping(pattern: str, allowed: str) -> Parse[tuple[tuple[str, str], ...]]:
    """Return a parser for a mapping of strings, as sorted pairs, since a frozen dataclass needs hashable values."""
    name = text(pattern, allowed)

    def parse(raw: object, where: str) -> tuple[tuple[str, str], ...]:
        if not isinstance(raw, Mapping) or not all(isinstance(value, str) for value in raw.values()):
            raise InvalidConfiguration(Problem(where, raw, "a mapping of names to strings"))
        return tuple(sorted((name(key, where), value) for key, value in raw.items()))

    return parse


def _under(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
