"""`check`: each ServiceAccount's chain, and one exit code for all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from cli import wiring
from cli.asked import Asked, Format
from cli.documents import checked
from cli.looking import Seen, refuse_unknown, see, worst
from cli.output import progress, write
from cli.targets import Wanted, targets

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cli.outside import Outside

AT_ONCE: Final = 4
"""Clusters looked at in parallel: each look has eight reads of its own under way."""


def run(asked: Asked, wanted: Wanted) -> int:
    """Look, write, and tell by the exit code."""
    outside = wiring.connect(asked)
    seen = look_at(wanted, outside)
    code = worst(item.exit_code for item in seen)
    write(asked.output, {"command": "check", "exitCode": code, "checks": [checked(item) for item in seen]}, *_views(asked, seen))
    return code


def look_at(wanted: Wanted, outside: Outside) -> list[Seen]:
    """A look at each target, in their order."""
    with progress("finding clusters and bindings"):
        found = targets(wanted, outside)
    named = found[0].cluster if len(found) == 1 else f"{len(found)} ServiceAccounts"
    with progress(f"looking at {named}"), ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda item: refuse_unknown(see(item, outside), outside), found))


def _views(asked: Asked, seen: list[Seen]) -> list[RenderableType]:
    if asked.output is not Format.TABLE:
        return []
    from cli.chain import view
    from cli.summary import summary, unbound

    if len(seen) == 1:
        return [view(seen[0])]
    return [*(view(item) for item in seen if item.exit_code), summary(seen), *unbound(seen)]
