"""Result of `verify --drill`: the legs of the repair with their times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from cli.interactive.drill import Leg


def drill_view(legs: Sequence[Leg], failure: str) -> Iterator[RenderableType]:
    """Return one line for each leg, then the result."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    for leg in legs:
        mark = Text("✓", style="green") if leg.seconds is not None else Text("?", style="yellow")
        time = "" if leg.seconds is None else f"{leg.seconds:.1f} s"
        table.add_row(mark, leg.name, time, Text(leg.note or leg.shows, style="" if leg.note else "dim"))
    yield Text("Time since the annotation was removed:")
    yield table
    if failure:
        yield Text("The drill was not passed: ", style="bold red").append(plain(failure), style="not bold default")
    else:
        yield Text("The deployed stack repaired the ServiceAccount and proved it.", style="green")
        if not any(leg.note for leg in legs):
            yield Text("Ask a receiver of the message whether it arrived.", style="dim")
