"""The resources of a template, with their positions and dependencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from preflight.cloudformation.intrinsics import references
from preflight.cloudformation.loops import LOOP, expanded
from preflight.finding import MalformedFile
from preflight.source_tree import SourceNode, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_EXPANDING: Final = "AWS::LanguageExtensions"
"""The transform of loops, which `loops` expands. Every other one may add resources."""


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource."""

    id: str
    body: SourceNode
    line: int
    column: int

    @property
    def type(self) -> str:
        """Return the type, such as `AWS::EKS::Addon`."""
        found = self.body.at("Type")
        return (found.text or "") if found else ""

    @property
    def properties(self) -> SourceNode:
        """Return the properties; the resource itself where it has none."""
        return self.body.at("Properties") or self.body

    @property
    def path(self) -> str:
        """Return the path of the CDK construct; "" in templates of other origin."""
        found = self.body.at("Metadata", "aws:cdk:path")
        return (found.text or "") if found else ""

    def property(self, name: str) -> SourceNode | None:
        """Return one property; None where the template does not set it."""
        return self.body.at("Properties", name)

    def place_of(self, *names: str) -> tuple[int, int]:
        """Return the position of the first of these properties that is set, else of the block that they belong to."""
        written = next((name for name in names if name in self.properties.keys), None)
        if written:
            return self.properties.place_of(written)
        return self.body.keys.get("Properties", (self.line, self.column))

    def waits_for(self) -> set[str]:
        """Return the logical ids that must exist first: by DependsOn, or by reference."""
        named = self.body.at("DependsOn")
        written = [] if named is None else named.items or [named]
        return {item.text for item in written if item.text} | set(references(self.properties))


@dataclass(frozen=True, eq=False)
class Template:
    """A whole template. With `json`, the template and the lines to add are JSON."""

    root: SourceNode
    resources: Mapping[str, Resource]
    json: bool

    @property
    def is_complete(self) -> bool:
        """Return whether no macro adds resources or parameters when the template is deployed."""
        named = self.root.at("Transform")
        transforms = [] if named is None else [entry.text for entry in named.items or [named]]
        return set(transforms) <= {_EXPANDING} and not any(name.startswith("Fn::") for name in self._blocks)

    @property
    def _blocks(self) -> set[str]:
        blocks = [self.root, self.root.at("Resources"), self.root.at("Parameters")]
        return {name for block in blocks if block for name in block.fields}

    def of_type(self, kind: str) -> tuple[Resource, ...]:
        """Return the resources of one type."""
        return tuple(resource for resource in self.resources.values() if resource.type == kind)

    def waits_for(self, one: Resource, other: Resource) -> bool:
        """Return whether CloudFormation creates `other` before `one`."""
        waiting, visited = list(one.waits_for()), set[str]()
        while waiting:
            name = waiting.pop()
            if name == other.id:
                return True
            if name in self.resources and name not in visited:
                visited.add(name)
                waiting.extend(self.resources[name].waits_for())
        return False


def read_template(source: str, file: str) -> Template:
    """Return a template with its resources, those of loops included.

    Raises:
        MalformedFile: the text is no template.
    """
    root = load(source, file)
    if LOOP in source:
        root = expanded(root, file)
    resources = root.at("Resources")
    if resources is None or not isinstance(resources.value, dict):
        raise MalformedFile(f"{file}:{root.line}:{root.column} is no CloudFormation template: it has no Resources")
    found = {resource.id: resource for resource in _resources(resources)}
    return Template(root=root, resources=found, json=source.lstrip("\ufeff \t\r\n").startswith("{"))


def _resources(block: SourceNode) -> Iterator[Resource]:
    for name, body in block.fields.items():
        line, column = block.place_of(name)
        yield Resource(id=name, body=body, line=line, column=column)
