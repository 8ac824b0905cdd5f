"""The result of one round, as a row of the table and as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class RoundResult:
    """One round: `converged` of `runs` ended as expected; `extra_restarts` are additional to one per repair; `lost` counts signals."""

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
        """Whether the invariants held."""
        return self.converged == self.runs and self.extra_restarts == 0 and self.lost == 0


def table(rounds: Sequence[RoundResult]) -> Table:
    """A row for each kind of round (`aws: SNS down` is of kind `aws`), a row for each failed round, and a total."""
    shown = Table(title="Chaos", title_justify="left", show_footer=True, header_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    cells = _cells(_sum("all", rounds))
    headings = ("round", "faults\ninjected", "converged", "extra\nrestarts", "messages", "lost\nsignals", "seconds")
    shown.add_column(headings[0], footer=cells[0], max_width=24)
    for heading, total in zip(headings[1:], cells[1:], strict=True):
        shown.add_column(heading, footer=total, justify="right", no_wrap=True)
    for kind, alike in groupby(sorted(rounds, key=_kind), key=_kind):
        shown.add_row(*_cells(_sum(kind, list(alike))))
    for measured in rounds:
        if not measured.good:
            shown.add_row(*_cells(measured), style="red")
    return shown


def _kind(it: RoundResult) -> str:
    return re.split("[:,]", it.round)[0]


def _sum(name: str, rounds: Sequence[RoundResult]) -> RoundResult:
    added = {
        field.name: sum(getattr(one, field.name) for one in rounds) for field in fields(RoundResult) if field.name not in ("round", "note")
    }
    return RoundResult(round=name, **added)


def _cells(it: RoundResult) -> list[str]:
    counts = (f"{it.faults:,}", f"{it.converged} of {it.runs}", it.extra_restarts, it.messages, it.lost, f"{it.seconds:.0f}")
    return [it.round, *map(str, counts)]


def write(rounds: Sequence[RoundResult], path: Path) -> None:
    """The same as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "rounds": [asdict(measured) for measured in rounds],
        "lostSignals": sum(measured.lost for measured in rounds),
        "good": all(measured.good for measured in rounds),
    }
    path.write_text(json.dumps(told, indent=2) + "\n")
