"""Expands `Fn::ForEach`, which writes a part of the template once for each value of a list.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from preflight.cloudformation.intrinsics import function
from preflight.finding import MalformedFile
from preflight.source_tree import SourceNode

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOP: Final = "Fn::ForEach::"
_PARTS: Final = 3
_MOST: Final = 200_000
"""Most values of an expanded template: the service accepts a megabyte of text."""


def expanded(root: SourceNode, file: str) -> SourceNode:
    """Return the tree without loops. A loop over values that are not known stays once, with its variable as a reference.

    Raises:
        MalformedFile: the loops make more values than a template may hold.
    """
    return _Expansion(file).of(root, {})


class _Expansion:
    def __init__(self, file: str) -> None:
        self._file = file
        self._left = _MOST

    def of(self, node: SourceNode, bound: Mapping[str, str | None]) -> SourceNode:
        self._left -= 1
        if self._left < 0:
            raise MalformedFile(f"{self._file}: its loops make more than {_MOST} values")
        if node.items:
            return SourceNode([self.of(entry, bound) for entry in node.items], node.line, node.column)
        if node.fields:
            called = function(node)
            if called and called[0] == "Ref" and (value := bound.get(called[1].text or "")) is not None:
                return SourceNode(value, node.line, node.column)
            return self._mapping(node, bound)
        return _text(node, bound) if node.text and bound else node

    def _mapping(self, node: SourceNode, bound: Mapping[str, str | None]) -> SourceNode:
        fields: dict[str, SourceNode] = {}
        keys: dict[str, tuple[int, int]] = {}
        for key, value in node.fields.items():
            if key.startswith(LOOP) and len(value.items) == _PARTS:
                for each in self._rounds(value, bound):
                    fields |= each.fields
                    keys |= each.keys
                continue
            name = _filled(key, bound)
            fields[name] = self.of(value, bound)
            keys[name] = node.place_of(key)
        return SourceNode(fields, node.line, node.column, keys, node.duplicates)

    def _rounds(self, loop: SourceNode, bound: Mapping[str, str | None]) -> list[SourceNode]:
        variable, values, body = loop.items
        listed = self.of(values, bound)
        texts = [entry.text for entry in listed.items] if function(listed) is None else [None]
        return [self._mapping(body, {**bound, variable.text or "": text}) for text in texts]


def _text(node: SourceNode, bound: Mapping[str, str | None]) -> SourceNode:
    filled = _filled(node.text or "", bound)
    if any(value is None and f"${{{name}}}" in filled for name, value in bound.items()):
        return SourceNode({"Fn::Sub": SourceNode(filled, node.line, node.column)}, node.line, node.column)
    return SourceNode(filled, node.line, node.column)


def _filled(text: str, bound: Mapping[str, str | None]) -> str:
    """`${X}` is the value; `&{X}` is the value without the characters that a logical id may not have."""
    for name, value in bound.items():
        if value is not None:
            text = text.replace(f"${{{name}}}", value).replace(f"&{{{name}}}", re.sub(r"[^A-Za-z0-9]", "", value))
    return text
