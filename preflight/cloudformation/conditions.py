"""The cases that the conditions and rules of a template distinguish, and the template in each case.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/conditions-section-structure.html and
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/rules-section-structure.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from preflight.cloudformation.intrinsics import function, references
from preflight.cloudformation.template import Resource, Template
from preflight.source_tree import SourceNode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ROOTS: Final = ("AWS::EKS::Addon", "AWS::EKS::PodIdentityAssociation", "AWS::EKS::Nodegroup", "AWS::IAM::InstanceProfile")
_POLICIES: Final = ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy")
_MOST: Final = 6
"""Most comparisons that are told apart: 64 cases. A template with more is read with its conditions open."""
_DEEPEST: Final = 30
_IF_PARTS: Final = 3
_PAIR: Final = 2

Atom: TypeAlias = tuple[str, str]
"""A comparison that may be true or false: a parameter and the text that it equals, or "" and any other comparison."""
Formula: TypeAlias = "tuple[str, tuple[Formula, ...]] | Atom | bool"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One combination of conditions: the template in it, and the conditions with their values."""

    template: Template
    truths: Mapping[str, bool]

    @property
    def name(self) -> str:
        """Return the conditions in words; "" where the template has none that matter."""
        return ", ".join(f"{name} is {'true' if value else 'false'}" for name, value in self.truths.items())


def cases(template: Template) -> tuple[Case, ...]:
    """Return the cases that the conditions of the resources for aws-node distinguish; at least one."""
    conditions, rules = template.root.at("Conditions"), template.root.at("Rules")
    undistinguished = (Case(template=template, truths={}),)
    if conditions is None and rules is None:
        return undistinguished
    relevant = _relevant(template)
    names = sorted({name for resource in relevant for name in _condition_names(resource.body)} & set((conditions or template.root).fields))
    formulas = {name: _formula(template, SourceNode({"Condition": SourceNode(name, 0, 0)}, 0, 0)) for name in names}
    demands = [_formula(template, assertion) for assertion in _assertions(rules)] if rules else []
    atoms = sorted({atom for formula in (*formulas.values(), *demands) for atom in _atoms(formula)})
    if len(atoms) > _MOST:
        return undistinguished
    found: dict[str, Case] = {}
    for values in product((True, False), repeat=len(atoms)):
        chosen = dict(zip(atoms, values, strict=True))
        if not _is_possible(template, chosen) or not all(_holds(demand, chosen) for demand in demands):
            continue
        truths = {name: _holds(formula, chosen) for name, formula in formulas.items()}
        key = json.dumps([truths, [value for (parameter, _), value in chosen.items() if parameter]])
        found[key] = Case(template=_specialized(template, relevant, truths, chosen), truths=truths)
    return tuple(found.values()) or undistinguished


def _relevant(template: Template) -> list[Resource]:
    """Return the add-ons, associations and nodes, and the roles and policies that they refer to."""
    found = {resource.id: resource for kind in _ROOTS for resource in template.of_type(kind)}
    waiting = list(found.values())
    while waiting:
        for name in references(waiting.pop().body):
            resource = template.resources.get(name)
            if resource and name not in found and resource.type.startswith("AWS::IAM::"):
                found[name] = resource
                waiting.append(resource)
    for policy in (resource for kind in _POLICIES for resource in template.of_type(kind)):
        if policy.id not in found and set(references(policy.properties)) & set(found):
            found[policy.id] = policy
    return list(found.values())


def _condition_names(node: SourceNode) -> Iterator[str]:
    waiting, visited = [node], set[int]()
    while waiting:
        entry = waiting.pop()
        if id(entry) in visited:
            continue
        visited.add(id(entry))
        called = function(entry)
        if called and called[0] == "Fn::If" and called[1].items and called[1].items[0].text:
            yield called[1].items[0].text
        waiting.extend([*entry.items, *entry.fields.values()])
    own = node.at("Condition")
    if own is not None and own.text:
        yield own.text


def _assertions(rules: SourceNode) -> Iterator[SourceNode]:
    """Return the assertions of rules that always apply."""
    for rule in rules.fields.values():
        listed = rule.at("Assertions")
        if rule.at("RuleCondition") is None and listed:
            yield from (entry.fields["Assert"] for entry in listed.items if "Assert" in entry.fields)


# --- formulas


def _formula(template: Template, node: SourceNode, depth: int = 0) -> Formula:
    called = function(node)
    if called is None or depth > _DEEPEST:
        return ("", f"{id(node)}")
    name, argument = called
    if name == "Condition" and (defined := template.root.at("Conditions", argument.text or "")) is not None:
        return _formula(template, defined, depth + 1)
    if name in ("Fn::And", "Fn::Or", "Fn::Not") and argument.items:
        return (name, tuple(_formula(template, entry, depth + 1) for entry in argument.items))
    if name == "Fn::Equals" and len(argument.items) == _PAIR:
        return _comparison(*argument.items)
    if name == "Fn::Contains" and len(argument.items) == _PAIR:
        listed, value = argument.items
        return ("Fn::Or", tuple(_comparison(value, entry) for entry in listed.items))
    return ("", _written(node))


def _comparison(one: SourceNode, other: SourceNode) -> Formula:
    if function(other) and not function(one):
        one, other = other, one
    called = function(one)
    if called is None and one.value is not None and not one.items and not one.fields:
        return str(one.value) == str(other.value)
    if called and called[0] == "Ref" and called[1].text and function(other) is None and not other.fields:
        return (called[1].text, "true" if other.value is True else "false" if other.value is False else str(other.value))
    return ("", f"{_written(one)}={_written(other)}")


def _written(node: SourceNode, depth: int = 0) -> str:
    def plain(entry: SourceNode, depth: int) -> Any:
        if depth > _DEEPEST:
            return None
        if entry.items:
            return [plain(item, depth + 1) for item in entry.items]
        return {key: plain(field, depth + 1) for key, field in entry.fields.items()} if entry.fields else str(entry.value)

    return json.dumps(plain(node, depth))


def _atoms(formula: Formula) -> Iterator[Atom]:
    if isinstance(formula, bool):
        return
    kind, rest = formula
    if isinstance(rest, str):
        yield (kind, rest)
    else:
        for entry in rest:
            yield from _atoms(entry)


def _holds(formula: Formula, chosen: Mapping[Atom, bool]) -> bool:
    if isinstance(formula, bool):
        return formula
    kind, rest = formula
    if isinstance(rest, str):
        return chosen[kind, rest]
    values = [_holds(entry, chosen) for entry in rest]
    return all(values) if kind == "Fn::And" else any(values) if kind == "Fn::Or" else not values[0]


def _is_possible(template: Template, chosen: Mapping[Atom, bool]) -> bool:
    """Return whether each parameter equals one text at most, and one of its allowed values."""
    for parameter in {parameter for parameter, _ in chosen if parameter}:
        equal = [text for (name, text), value in chosen.items() if name == parameter and value]
        unequal = {text for (name, text), value in chosen.items() if name == parameter and not value}
        listed = template.root.at("Parameters", parameter, "AllowedValues")
        allowed = {str(entry.value) for entry in listed.items} if listed and listed.items else None
        if len(equal) > 1 or (allowed is not None and (not set(equal) <= allowed or allowed <= unequal)):
            return False
    return True


# --- the template in one case


def _specialized(template: Template, relevant: list[Resource], truths: Mapping[str, bool], chosen: Mapping[Atom, bool]) -> Template:
    texts = {parameter: text for (parameter, text), value in chosen.items() if parameter and value}
    excluded: dict[str, set[str]] = {}
    for (parameter, text), value in chosen.items():
        if parameter and not value:
            excluded.setdefault(parameter, set()).add(text)
    choice = _Choice(truths, texts)
    resources = dict(template.resources)
    for resource in relevant:
        condition = resource.body.at("Condition")
        if condition is not None and truths.get(condition.text or "") is False:
            del resources[resource.id]
        else:
            resources[resource.id] = replace(resource, body=choice.of(resource.body))
    return Template(root=_without_values(template.root, excluded), resources=resources, json=template.json)


def _without_values(root: SourceNode, excluded: Mapping[str, set[str]]) -> SourceNode:
    """Return the template whose parameters do not have the excluded values as default or allowed ones."""
    parameters = root.at("Parameters")
    if parameters is None or not excluded:
        return root
    fields = dict(parameters.fields)
    for name, texts in excluded.items():
        if name in fields:
            kept = {key: value for key, value in fields[name].fields.items() if key != "Default" or str(value.value) not in texts}
            if (allowed := kept.get("AllowedValues")) is not None:
                left: list[SourceNode] = [entry for entry in allowed.items if str(entry.value) not in texts]
                kept["AllowedValues"] = replace(allowed, value=left)
            fields[name] = replace(fields[name], value=kept)
    return replace(root, value={**root.fields, "Parameters": replace(parameters, value=fields)})


class _Choice:
    """Replaces conditions by the branch that is taken, and parameters by their texts. An alias stays one object."""

    def __init__(self, truths: Mapping[str, bool], texts: Mapping[str, str]) -> None:
        self._truths = truths
        self._texts = texts
        self._done: dict[int, SourceNode] = {}

    def of(self, node: SourceNode) -> SourceNode:
        if id(node) not in self._done:
            self._done[id(node)] = self._chosen(node)
        return self._done[id(node)]

    def _chosen(self, node: SourceNode) -> SourceNode:
        called = function(node)
        if called and called[0] == "Fn::If" and len(called[1].items) == _IF_PARTS:
            name, then, otherwise = called[1].items
            if (name.text or "") in self._truths:
                return self.of(then if self._truths[name.text or ""] else otherwise)
        if called and called[0] == "Ref" and (text := self._texts.get(called[1].text or "")) is not None:
            return SourceNode(text, node.line, node.column)
        if node.items:
            return replace(node, value=[self.of(entry) for entry in node.items])
        return replace(node, value={key: self.of(entry) for key, entry in node.fields.items()}) if node.fields else node
