"""What one round of chaos came to, as a row of the table and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One round. `runs` of which `converged` came to the right end; `extra_restarts` beyond the one of a repair; `lost` signals."""

    round: str
    faults: int
    runs: int
    converged: int
    extra_restarts: int = 0
    messages: int = 0
    lost: int = 0
    seconds: float = 0.0
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether the promises held."""
        return self.converged == self.runs and self.extra_restarts == 0 and self.lost == 0


def table(rounds: Sequence[Figures]) -> Table:
    """All rounds, and their sum."""
    shown = Table(title="Chaos", title_justify="left", show_footer=True, header_style="bold")
    lost = sum(it.lost for it in rounds)
    shown.add_column("round", footer="all")
    for heading, total in (
        ("faults injected", sum(it.faults for it in rounds)),
        ("converged", f"{sum(it.converged for it in rounds)} of {sum(it.runs for it in rounds)}"),
        ("extra restarts", sum(it.extra_restarts for it in rounds)),
        ("messages", sum(it.messages for it in rounds)),
        ("lost signals", lost),
        ("seconds", f"{sum(it.seconds for it in rounds):.0f}"),
    ):
        shown.add_column(heading, footer=str(total), justify="right")
    shown.add_column("", style="dim")
    for it in rounds:
        counts = (it.faults, f"{it.converged} of {it.runs}", it.extra_restarts, it.messages, it.lost, f"{it.seconds:.1f}")
        shown.add_row(it.round, *map(str, counts), it.note, style="" if it.good else "red")
    return shown


def write(rounds: Sequence[Figures], path: Path) -> None:
    """The same as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"rounds": [asdict(it) for it in rounds], "lostSignals": sum(it.lost for it in rounds), "good": all(it.good for it in rounds)}
    path.write_text(json.dumps(told, indent=2) + "\n")
