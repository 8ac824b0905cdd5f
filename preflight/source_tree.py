"""YAML and JSON as trees whose values know their line and column."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

from preflight.finding import MalformedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

_MERGE: Final = "tag:yaml.org,2002:merge"
_DEEPEST: Final = 100
"""Levels of nesting: templates and cluster files have about a dozen."""
_TYPED: Final = {"bool", "int", "float", "null"}
_UNREADABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufeff\uff00-\ufffd\U00010000-\U0010ffff]")

Value: TypeAlias = "str | int | float | bool | list[SourceNode] | dict[str, SourceNode] | None"


@dataclass(eq=False)
class SourceNode:
    """A value with the line and column, from 1, where it begins. `keys` holds the positions of the keys of a mapping.

    `duplicates` are keys that the mapping holds twice, with the position of the second.
    """

    value: Value
    line: int
    column: int
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    duplicates: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def text(self) -> str | None:
        """Return the value if it is text."""
        return self.value if isinstance(self.value, str) else None

    @property
    def items(self) -> list[SourceNode]:
        """Return the members of a list; empty for other values."""
        return self.value if isinstance(self.value, list) else []

    @property
    def fields(self) -> dict[str, SourceNode]:
        """Return the members of a mapping; empty for other values."""
        return self.value if isinstance(self.value, dict) else {}

    def at(self, *path: str) -> SourceNode | None:
        """Return the value under a path of keys; None where a key is missing."""
        found: SourceNode | None = self
        for key in path:
            found = found.fields.get(key) if found else None
        return found

    def place_of(self, key: str) -> tuple[int, int]:
        """Return the position of the key, or of the mapping where it lacks the key."""
        return self.keys.get(key, (self.line, self.column))


def duplicate_keys(root: SourceNode) -> Iterator[tuple[str, tuple[int, int]]]:
    """Return the keys that some mapping below the root holds twice, with the position of the second."""
    waiting, visited = [root], set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) not in visited:
            visited.add(id(node))
            yield from node.duplicates.items()
            waiting.extend([*node.items, *node.fields.values()])


def load(text: str, file: str) -> SourceNode:
    """Return the one document of a YAML or JSON text. Short tags of CloudFormation become the functions that they abbreviate.

    Raises:
        MalformedFile: the text is neither, holds several documents, contains itself, or is nested without end.
    """
    documents = load_all(text, file)
    if len(documents) > 1:
        second = documents[1]
        raise MalformedFile(f"{file}:{second.line}:{second.column} begins a second document: give each document in a file of its own")
    return documents[0]


def load_all(text: str, file: str) -> list[SourceNode]:
    """Return every document of a YAML text that holds a value; at least one.

    Raises:
        MalformedFile: the text is neither YAML nor JSON, is empty, contains itself, or is nested without end.
    """
    if text.lstrip("\ufeff \t\r\n").startswith(("{", "/")) and (comment := _comment_in_json(text)):
        raise MalformedFile(f"{file}:{comment[0]}:{comment[1]} is a comment, which JSON does not allow: delete it")
    try:
        roots = [root for root in _composed(text) if not (isinstance(root, yaml.ScalarNode) and root.tag.endswith(":null"))]
        if not roots:
            raise MalformedFile(f"{file} is empty")
        return [_Tree(file).node_of(root) for root in roots]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise MalformedFile(f"{file}{where} is neither YAML nor JSON: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise MalformedFile(f"{file}{_unreadable_at(text)} holds a character that neither YAML nor JSON may hold") from error
    except RecursionError as error:
        raise MalformedFile(f"{file} is nested too deeply to be read") from error


_JSON_TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\r\n]*|/\*.*?\*/|#[^\r\n]*', re.DOTALL)
_TRAILING_COMMA: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|,(?=\s*[]}])')


def _comment_in_json(text: str, marks: tuple[str, ...] = ("//", "/*")) -> tuple[int, int] | None:
    """Return the position of the first comment of a text that is JSON without its comments and trailing commas; None for other texts.

    YAML in flow style may hold the same signs as text, and `#` as its own comment.
    """
    if _is_json(text):
        return None
    comments = [found.start() for found in _JSON_TOKEN.finditer(text) if found[0].startswith(marks)]
    bare = text
    for tokens in (_JSON_TOKEN, _TRAILING_COMMA):
        bare = tokens.sub(lambda found: found[0] if found[0].startswith('"') else "", bare)
    if not comments or not _is_json(bare):
        return None
    return _position(text, comments[0])


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _position(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def json_fault(text: str, file: str, error: json.JSONDecodeError) -> str:
    """Return the message about a text that is not JSON: a comment is named as such, at its own line."""
    comment = _comment_in_json(text, ("//", "/*", "#"))
    if comment is None and text.startswith(("//", "/*", "#"), error.pos):
        comment = error.lineno, error.colno
    if comment:
        return f"{file}:{comment[0]}:{comment[1]} is a comment, which JSON does not allow: delete it"
    return f"{file}:{error.lineno}:{error.colno} is not JSON: {error.msg}"


_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C reader parses a CDK template of a megabyte in under a second."""


def _composed(text: str) -> list[yaml.Node]:
    """YAML accepts nearly all of JSON, except surrogate pairs of escapes and control characters in strings."""
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


def _compose(text: str) -> list[yaml.Node]:
    """The C composer recurses for each level and crashes the process at the end of the stack, so levels are counted first."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise RecursionError
    return list(yaml.compose_all(text, Loader=_LOADER))


_ESCAPES: Final = re.compile(rf"\\\\|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|{_UNREADABLE.pattern}")
"""An escaped backslash, which stays; a surrogate pair; a character that has to be escaped."""


def _escaped(found: re.Match[str]) -> str:
    if found[0] == "\\\\":
        return found[0]
    letter = json.loads(f'"{found[0]}"') if found[0].startswith("\\") else found[0]
    return f"\\U{ord(letter):08x}"


def _unreadable_at(text: str) -> str:
    found = _UNREADABLE.search(text)
    if not found:
        return ""
    line, column = _position(text, found.start())
    return f":{line}:{column}"


class _Tree:
    """Turns PyYAML nodes into source nodes. An alias becomes the same object, so aliases do not multiply the text."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._done: dict[int, SourceNode] = {}
        self._open: set[int] = set()

    def node_of(self, node: yaml.Node) -> SourceNode:
        if id(node) in self._open:
            raise MalformedFile(f"{self._file}:{node.start_mark.line + 1}:{node.start_mark.column + 1} contains itself through an alias")
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
        duplicates: dict[str, tuple[int, int]] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                found = self.node_of(value)
                for one in reversed(found.items or [found]):
                    merged |= one.fields
                continue
            if not isinstance(key, yaml.ScalarNode):
                place = f"{self._file}:{key.start_mark.line + 1}:{key.start_mark.column + 1}"
                raise MalformedFile(f"{place} is a mapping or list as a key: if `{{{{ }}}}` is a template, render it first")
            name = str(key.value)
            if name in own:
                duplicates[name] = (key.start_mark.line + 1, key.start_mark.column + 1)
            own[name] = self.node_of(value)
            keys[name] = (key.start_mark.line + 1, key.start_mark.column + 1)
        return SourceNode({**merged, **own}, line, column, keys, duplicates)

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
