"""Values in a template, as far as they can be known before it is deployed.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

from preflight.source_tree import SourceNode

NO_VALUE: Final = "AWS::NoValue"
_BRANCHES: Final = 3
_REFERENCE: Final = re.compile(r"\$\{(?!!)([^}.]+)")
_DEEPEST: Final = 20


class Presence(Enum):
    """Whether a property has a value after the deployment."""

    SET = "set"
    ABSENT = "absent"
    UNKNOWN = "unknown"


def function(value: SourceNode | None) -> tuple[str, SourceNode] | None:
    """Return the name of the function and its argument, if the value is a function."""
    if value is None or len(value.fields) != 1:
        return None
    name, argument = next(iter(value.fields.items()))
    return (name, argument) if name in ("Ref", "Condition") or name.startswith("Fn::") else None


def presence(value: SourceNode | None, template: SourceNode, depth: int = 0) -> Presence:
    """Return whether the value is there and not empty.

    A parameter without a default must be given, and EKS refuses an empty one. An empty default may be what is deployed. A mapping
    is empty for each key that a parameter allows.
    """
    called = function(value)
    if value is None or depth > _DEEPEST:
        return Presence.ABSENT if value is None else Presence.UNKNOWN
    if called is None:
        return _plain(value, template, depth)
    name, argument = called
    if name == "Ref":
        return _reference(argument, template)
    if name == "Fn::If" and len(argument.items) == _BRANCHES:
        then, otherwise = (presence(item, template, depth + 1) for item in argument.items[1:])
        return then if then is otherwise else Presence.UNKNOWN
    if name == "Fn::FindInMap":
        return _mapped(argument, template)
    return Presence.UNKNOWN if name in ("Fn::Transform", "Fn::If") else Presence.SET


def _mapped(argument: SourceNode, template: SourceNode) -> Presence:
    found = {value is not None and bool(value.value) for value in map_values(argument, template)}
    if not found:
        return Presence.UNKNOWN
    return Presence.UNKNOWN if len(found) > 1 else Presence.SET if True in found else Presence.ABSENT


def map_values(argument: SourceNode, template: SourceNode) -> list[SourceNode | None]:
    """Return the values that `Fn::FindInMap` can give, for every value of its keys that is allowed; None where the map lacks the key."""
    if len(argument.items) < _BRANCHES:
        return []
    default = argument.items[_BRANCHES].at("DefaultValue") if len(argument.items) > _BRANCHES else None
    chosen: list[SourceNode | None] = [template.at("Mappings")]
    for key in argument.items[:_BRANCHES]:
        names = possible_texts(key, template)
        chosen = [entry for node in chosen for entry in _entries(node, names)]
    return [node or default for node in chosen]


def _entries(node: SourceNode | None, names: frozenset[str] | None) -> list[SourceNode | None]:
    if node is None:
        return [None]
    return [node.fields.get(name) for name in sorted(names)] if names is not None else list(node.fields.values())


def possible_texts(value: SourceNode, template: SourceNode) -> frozenset[str] | None:
    """Return the texts that a value can have; None where any text is possible."""
    called = function(value)
    if called is None:
        return frozenset({value.text}) if value.text is not None else None
    if called[0] == "Ref":
        allowed = template.at("Parameters", called[1].text or "", "AllowedValues")
        return frozenset(entry.text or "" for entry in allowed.items) if allowed and allowed.items else None
    return None


def _plain(value: SourceNode, template: SourceNode, depth: int) -> Presence:
    if not value.items:
        return Presence.SET if value.value else Presence.ABSENT
    found = {presence(item, template, depth + 1) for item in value.items}
    return next(item for item in (Presence.SET, Presence.UNKNOWN, Presence.ABSENT) if item in found)


def _reference(argument: SourceNode, template: SourceNode) -> Presence:
    if argument.text == NO_VALUE:
        return Presence.ABSENT
    default = template.at("Parameters", argument.text or "", "Default")
    allowed = template.at("Parameters", argument.text or "", "AllowedValues")
    possible = [default, *(allowed.items if allowed else [])]
    return Presence.UNKNOWN if any(node is not None and node.value == "" for node in possible) else Presence.SET


def literal(value: SourceNode | None, template: SourceNode, depth: int = 0) -> str | None:
    """Return the text of the value; None where parameters decide it."""
    called = function(value)
    if value is None or depth > _DEEPEST:
        return None
    if called is None:
        return value.text
    name, argument = called
    if name == "Ref":
        allowed = template.at("Parameters", argument.text or "", "AllowedValues")
        return allowed.items[0].text if allowed and len(allowed.items) == 1 else None
    if name == "Fn::Sub" and argument.text and not _REFERENCE.search(argument.text):
        return argument.text
    if name == "Fn::If" and len(argument.items) == _BRANCHES:
        then, otherwise = (literal(item, template, depth + 1) for item in argument.items[1:])
        return then if then == otherwise else None
    return None


def references(value: SourceNode) -> Iterator[str]:
    """Return the logical ids that the value refers to, each occurrence."""
    waiting, visited = [value], set[int]()
    while waiting:
        entry = waiting.pop()
        if id(entry) in visited:
            continue
        visited.add(id(entry))
        yield from _referred(function(entry))
        waiting.extend([*entry.items, *entry.fields.values()])


def _referred(called: tuple[str, SourceNode] | None) -> Iterator[str]:
    if called is None:
        return
    name, argument = called
    first = argument.items[0] if argument.items else argument
    if name == "Ref" and argument.text:
        yield argument.text
    elif name == "Fn::GetAtt" and first.text:
        yield first.text.partition(".")[0]
    elif name == "Fn::Sub" and first.text:
        yield from _REFERENCE.findall(first.text)
