"""`plan`: what the remediator would do, with every rule that holds it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli import wiring
from cli.asked import Asked, Format
from cli.checking import look_at
from cli.documents import checked, planned
from cli.looking import worst
from cli.output import write
from cli.plan_view import next_step, view

if TYPE_CHECKING:
    from rich.console import RenderableType

    from cli.looking import Seen
    from cli.targets import Wanted


def run(asked: Asked, wanted: Wanted) -> int:
    """Look, plan, write. The exit code is that of `check`."""
    seen = look_at(wanted, wiring.connect(asked))
    code = worst(item.exit_code for item in seen)
    plans = [checked(item) | {"plan": planned(item.look) if item.look else None} for item in seen]
    write(asked.output, {"command": "plan", "exitCode": code, "plans": plans}, *_views(asked, seen))
    return code


def _views(asked: Asked, seen: list[Seen]) -> list[RenderableType]:
    if asked.output is not Format.TABLE:
        return []
    views: list[RenderableType] = [view(item) for item in seen]
    return [*views, *(next_step(item) for item in seen if item.look and not item.look.sound)]
