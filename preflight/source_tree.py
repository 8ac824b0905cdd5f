"""YAML and JSON as trees that know where each value stands."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import yaml

from preflight.finding import MalformedFile

_MERGE: Final = "tag:yaml.org,2002:merge"
_DEEPEST: Final = 100
"""Levels of nesting: templates and cluster files have about a dozen."""
_TYPED: Final = {"bool", "int", "float", "null"}
_UNREADABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufeff\uff00-\ufffd\U00010000-\U0010ffff]")

Value: TypeAlias = "str | int | float | bool | list[SourceNode] | dict[str, SourceNode] | None"


@dataclass(eq=False)
class SourceNode:
    """A value and where it begins, line and column from 1. `keys` tells the same of a mapping's keys."""

    value: Value
    line: int
    column: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def text(self) -> str | None:
        """The value where it is text."""
        return self.value if isinstance(self.value, str) else None

    @property
    def items(self) -> list[SourceNode]:
        """The members of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    @property
    def fields(self) -> dict[str, SourceNode]:
        """The members of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def at(self, *path: str) -> SourceNode | None:
        """The value under a path of keys; None where a step is missing."""
        found: SourceNode | None = self
        for key in path:
            found = found.fields.get(key) if found else None
        return found

    def place_of(self, key: str) -> tuple[int, int]:
        """Where the key stands; the mapping itself where it has none."""
        return self.keys.get(key, (self.line, self.column))


def load(text: str, file: str) -> SourceNode:
    """The one document of a YAML or JSON text. CloudFormation's short tags become the functions they stand for.

    Raises:
        MalformedFile: no such text, more than one document, a value that contains itself, or nesting without end.
    """
    try:
        root = _composed(text)
        if root is None:
            raise MalformedFile(f"{file} is empty")
        return _Tree(file).node_of(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise MalformedFile(f"{file}{where} is neither YAML nor JSON: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise MalformedFile(f"{file}{_unreadable_at(text)} holds a character that neither YAML nor JSON may hold") from error
    except RecursionError as error:
        raise MalformedFile(f"{file} is nested too deeply to be read") from error


_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C reader takes a CDK template of a megabyte in under a second."""


def _composed(text: str) -> yaml.Node | None:
    """YAML takes nearly all of JSON: not characters beyond 16 bits as two escapes, nor control characters that JSON lets stand."""
    try:
        return _compose(text)
    except yaml.YAMLError:
        try:
            json.loads(text)
        except ValueError:
            text = ""
        if not text:
            raise
    return _compose(_ESCAPES.sub(_escaped, text))


def _compose(text: str) -> yaml.Node | None:
    """The C composer calls itself for each level and ends the process where the stack does, so the levels are counted first."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecursionError
    found: yaml.Node | None = yaml.compose(text, Loader=_LOADER)
    return found


_ESCAPES: Final = re.compile(rf"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|{_UNREADABLE.pattern}")
"""An escaped backslash, which stays; a character as two escapes; a character that has to be one."""


def _escaped(found: re.Match[str]) -> str:
    if found[0] == "\\\\":
        return found[0]
    letter = json.loads(f'"{found[0]}"') if found[0].startswith("\\") else found[0]
    return f"\\U{ord(letter):08x}"


def _unreadable_at(text: str) -> str:
    found = _UNREADABLE.search(text)
    if not found:
        return ""
    before = text[: found.start()]
    return f":{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


class _Tree:
    """Turns PyYAML's nodes into ours. An alias gives the same object again, so a text of many aliases stays as small as it is."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._done: dict[int, SourceNode] = {}
        self._open: set[int] = set()

    def node_of(self, node: yaml.Node) -> SourceNode:
        if id(node) in self._open:
            raise MalformedFile(f"{self._file}:{node.start_mark.line + 1}:{node.start_mark.column + 1} contains itself by an alias")
        if id(node) not in self._done:
            self._open.add(id(node))
            self._done[id(node)] = self._function(node, self._plain(node))
            self._open.discard(id(node))
        return self._done[id(node)]

    def _plain(self, node: yaml.Node) -> SourceNode:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, line, column)
        if isinstance(node, yaml.SequenceNode):
            return SourceNode([self.node_of(item) for item in node.value], line, column)
        return SourceNode(_scalar(node), line, column)

    def _mapping(self, node: yaml.MappingNode, line: int, column: int) -> SourceNode:
        merged: dict[str, SourceNode] = {}
        own: dict[str, SourceNode] = {}
        keys: dict[str, tuple[int, int]] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                found = self.node_of(value)
                for one in reversed(found.items or [found]):
                    merged |= one.fields
                continue
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            own[name] = self.node_of(value)
            keys[name] = (key.start_mark.line + 1, key.start_mark.column + 1)
        return SourceNode({**merged, **own}, line, column, keys)

    def _function(self, node: yaml.Node, plain: SourceNode) -> SourceNode:
        """`!Sub x` is `{"Fn::Sub": x}`.

        Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
        """
        tag = node.tag or ""
        if not tag.startswith("!") or tag == "!":
            return plain
        name = tag[1:]
        if name == "GetAtt" and isinstance(plain.value, str):
            parts: list[SourceNode] = [SourceNode(part, plain.line, plain.column) for part in plain.value.split(".", 1)]
            plain = SourceNode(parts, plain.line, plain.column)
        full = name if name in ("Ref", "Condition") else f"Fn::{name}"
        return SourceNode({full: plain}, plain.line, plain.column, {full: (plain.line, plain.column)})


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    kind = (node.tag or "").rpartition(":")[2]
    if kind not in _TYPED:
        return str(node.value)
    try:
        found = yaml.SafeLoader("").construct_object(node)
    except (ValueError, KeyError, yaml.YAMLError):
        return str(node.value)
    return found if isinstance(found, str | int | float | bool | None) else str(node.value)
