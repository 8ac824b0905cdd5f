"""The configuration inside a plan: the origin of a value, and the code to edit."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from preflight.terraform.plan import Change, Plan, fields, members, module_names, text

_INDEX: Final = re.compile(r"\[[^\]]*\]")
_ADDON_MAPS: Final = ("addons", "cluster_addons", "eks_addons")
"""Arguments that hold add-ons: terraform-aws-modules/eks from 21 on and before, and eks-blueprints-addons."""
_DEEPEST: Final = 8


@dataclass(frozen=True, kw_only=True)
class ModuleCall:
    """One `module` block: the block in its parent's configuration, and the names of the blocks that lead to it."""

    path: tuple[str, ...]
    block: Mapping[str, Any]

    @property
    def source(self) -> str:
        """The source of the module, as written."""
        return text(self.block.get("source"))

    @property
    def addon_map(self) -> str:
        """The argument under which the call lists add-ons; "" where it gives none."""
        written = fields(self.block.get("expressions"))
        return next((name for name in _ADDON_MAPS if name in written), "")

    @property
    def is_cluster_module(self) -> bool:
        """Whether it is terraform-aws-modules/eks, from a registry, from git or as a copy."""
        return bool(re.search(r"terraform-aws-modules/(?:terraform-aws-)?eks(?:/aws)?(?:$|[.?/])", self.source))

    @property
    def is_blueprint(self) -> bool:
        """Whether it is aws-ia/eks-blueprints-addons, which makes add-ons after the cluster's compute."""
        return "eks-blueprints-addons" in self.source


def module_of(plan: Plan, path: tuple[str, ...]) -> Mapping[str, Any]:
    """The configuration of a module; empty where the plan does not hold it."""
    found = plan.configuration
    for name in path:
        found = fields(fields(fields(found.get("module_calls")).get(name)).get("module"))
    return found


def call_of(plan: Plan, path: tuple[str, ...]) -> ModuleCall | None:
    """The block that calls a module; None for the root, and where the plan does not hold it."""
    if not path:
        return None
    block = fields(module_of(plan, path[:-1]).get("module_calls")).get(path[-1])
    return ModuleCall(path=path, block=block) if isinstance(block, Mapping) else None


def calls(plan: Plan) -> Iterator[ModuleCall]:
    """Every module block of the configuration."""
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        path = waiting.pop()
        for name in fields(module_of(plan, path).get("module_calls")):
            if call := call_of(plan, (*path, name)):
                yield call
                waiting.append(call.path)


def resource_block(plan: Plan, change: Change) -> Mapping[str, Any]:
    """The configuration of the resource behind a change; empty where the plan does not hold it."""
    path = module_names(change.module)
    if path not in plan.blocks:
        listed = map(fields, members(module_of(plan, path).get("resources")))
        plan.blocks[path] = {text(block.get("address")): block for block in listed}
    blocks = plan.blocks[path]
    return blocks.get(change.config_address) or blocks.get(f"data.{change.config_address}", {})


def expression(plan: Plan, change: Change, attribute: str) -> str:
    """How the attribute is written, as far as a plan shows it: its constant, or what it refers to; "" where it is not written."""
    block = fields(fields(resource_block(plan, change).get("expressions")).get(attribute))
    if "constant_value" in block:
        return json.dumps(block["constant_value"], ensure_ascii=False)
    own = _written(block)
    call = call_of(plan, module_names(change.module))
    if own and call and call.addon_map and any(item.startswith("each.") for item in own):
        outer = _written(fields(fields(call.block.get("expressions")).get(call.addon_map)))
        return ", ".join((*own, *(f"{call.addon_map} of module {call.path[-1]}: {item}" for item in outer)))
    return ", ".join(own)


def _written(block: Mapping[str, Any]) -> list[str]:
    """References without those that only repeat the beginning of another: a plan lists `a.b.c` and `a.b`."""
    found = [member for member in members(block.get("references")) if isinstance(member, str)]
    return [item for item in found if not any(other != item and other.startswith((f"{item}.", f"{item}[")) for other in found)]


def roles_behind(plan: Plan, change: Change, attribute: str) -> frozenset[tuple[tuple[str, ...], str]] | None:
    """The roles, as (module path, address), from whose ARNs alone an undecided attribute can come; None otherwise.

    An undecided value has an undecided origin. Where all that the expression refers to are ARNs of resources or data sources,
    and values that are always decided when a plan is made (variables of the root module, `each.key`), its origin is such an ARN,
    and the ARN of a role is never empty. Anything else proves nothing.
    """
    path = module_names(change.module)
    block = fields(fields(resource_block(plan, change).get("expressions")).get(attribute))
    references = _written(block)
    call = call_of(plan, path)
    found: set[tuple[tuple[str, ...], str]] = set()
    if call and call.addon_map and any(reference.startswith("each.value") for reference in references):
        outer = fields(fields(call.block.get("expressions")).get(call.addon_map))
        if any(not reference.startswith("each.") for reference in references) or not _roles(plan, path[:-1], _written(outer), found, 0):
            return None
    elif not _roles(plan, path, references, found, 0):
        return None
    return frozenset(found) or None


def _roles(plan: Plan, path: tuple[str, ...], references: list[str], found: set[tuple[tuple[str, ...], str]], depth: int) -> bool:
    return depth < _DEEPEST and all(_role(plan, path, reference, found, depth) for reference in references)


def _role(plan: Plan, path: tuple[str, ...], reference: str, found: set[tuple[tuple[str, ...], str]], depth: int) -> bool:
    steps = _INDEX.sub("", reference).split(".")
    match steps:
        case ["aws_iam_role", name, "arn"]:
            found.add((path, f"aws_iam_role.{name}"))
            return True
        case ["module", name, output, *_]:
            outputs = fields(module_of(plan, (*path, name)).get("outputs"))
            inner = _written(fields(fields(outputs.get(output)).get("expression")))
            return bool(inner) and _roles(plan, (*path, name), inner, found, depth + 1)
        case ["var", *_]:
            return not path
        case ["data", "aws_iam_role", name, "arn"]:  # the data source fails where there is no such role
            found.add((path, f"data.aws_iam_role.{name}"))
            return True
        case ["each", "key"] | ["count", "index"] | ["path" | "terraform", _]:
            return True
        case _:
            return False
