"""Whether a resource is created after another one, as far as the configuration of a plan shows it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from preflight.terraform.configuration import module_of
from preflight.terraform.plan import fields, members, text
from preflight.terraform.references import Address, all_references, follow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from preflight.terraform.plan import Plan

_INDEX: Final = re.compile(r"\[[^\]]*\]")


def waits_for(plan: Plan, later: Address, earlier: Address) -> bool | None:
    """Whether Terraform creates `earlier` first; None where the plan hides it: it holds no locals, and a module can wait for anything.

    A resource waits for what its arguments refer to and for its `depends_on`, and so do those.
    Source: https://developer.hashicorp.com/terraform/language/meta-arguments/depends_on
    """
    waiting, seen, is_hidden = [later], set[Address](), False
    while waiting:
        address = waiting.pop()
        if address == earlier:
            return True
        if address in seen:
            continue
        seen.add(address)
        path, block = address[0], _block(plan, address)
        references = all_references(block.get("expressions"))
        explicit = [_INDEX.sub("", item) for item in members(block.get("depends_on")) if isinstance(item, str)]
        is_hidden |= any(item.startswith("local.") for item in references) or any(item.startswith("module.") for item in explicit)
        found: set[Address] = set()
        follow(plan, path, [*references, *explicit], found)
        waiting += found
    return None if is_hidden else False


def _block(plan: Plan, address: Address) -> Mapping[str, Any]:
    path, name = address
    listed = map(fields, members(module_of(plan, path).get("resources")))
    return next((block for block in listed if text(block.get("address")) == name), {})
