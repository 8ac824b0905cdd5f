"""Which resources of the plan an expression refers to, through variables, module outputs and module calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from preflight.terraform.configuration import call_of, module_of, resource_block
from preflight.terraform.plan import Change, Plan, fields, members, module_names

if TYPE_CHECKING:
    from collections.abc import Iterator

_INDEX: Final = re.compile(r"\[[^\]]*\]")
_DEEPEST: Final = 10
_META: Final = ("each", "count", "path", "terraform", "self")

Address = tuple[tuple[str, ...], str]
"""Names of the modules that lead to a resource, and its address there, such as `aws_iam_role.this`."""


def referred(plan: Plan, change: Change, *attributes: str) -> set[Address]:
    """Return the resources and data sources that these attributes refer to. Locals are not in a plan, so they lead nowhere."""
    expressions = fields(resource_block(plan, change).get("expressions"))
    path = module_names(change.module)
    found: set[Address] = set()
    for attribute in attributes:
        follow(plan, path, all_references(expressions.get(attribute)), found, 0)
    return found


def all_references(expression: object) -> list[str]:
    """Return the references of an expression, those of nested blocks included."""
    if isinstance(expression, list):
        return [reference for block in expression for reference in all_references(block)]
    block = fields(expression)
    own = [member for member in members(block.get("references")) if isinstance(member, str)]
    return own + [inner for key, value in block.items() if key != "references" for inner in _nested(value)]


def _nested(value: object) -> list[str]:
    return all_references(value) if isinstance(value, dict | list) else []


def follow(plan: Plan, path: tuple[str, ...], references: list[str], found: set[Address], depth: int = 0) -> None:
    """Add the resources and data sources behind these references of a module to `found`."""
    if depth > _DEEPEST:
        return
    for reference in references:
        steps = _INDEX.sub("", reference).split(".")
        match steps:
            case ["data", kind, name, *_]:
                found.add((path, f"data.{kind}.{name}"))
            case ["var", name, *_] if path:
                call = call_of(plan, path)
                outer = fields(fields(call.block).get("expressions")).get(name) if call else None
                follow(plan, path[:-1], all_references(outer), found, depth + 1)
            case ["module", name, output, *_]:
                outputs = fields(module_of(plan, (*path, name)).get("outputs"))
                follow(plan, (*path, name), all_references(fields(outputs.get(output)).get("expression")), found, depth + 1)
            case [kind, name, *_] if kind not in (*_META, "var", "local", "module"):
                found.add((path, f"{kind}.{name}"))
            case ["each", "value", *_]:
                call = call_of(plan, path)
                outer = fields(fields(call.block).get("expressions")).get(call.addon_map) if call and call.addon_map else None
                follow(plan, path[:-1], all_references(outer), found, depth + 1)
            case _:
                continue


def changes_at(plan: Plan, addresses: set[Address], kind: str) -> Iterator[Change]:
    """Return the changes of one type at these addresses, each instance of them."""
    for path, address in sorted(addresses):
        yield from (change for change in plan.at(path, address) if change.type == kind)
