"""The results as a table for a terminal, as Markdown, and as JSON."""

from __future__ import annotations

import json
import os
import platform
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.harness.row import Row

MEMORY_SIZES: Final = "memory size"
"""Name of the benchmark whose results have a section of their own."""
HEAD: Final = ("benchmark", "measured", "value", "unit", "baseline", "baseline value", "ratio", "goal", "met", "spread", "runs")
_NUMERIC: Final = ("value", "baseline value", "ratio", "spread", "runs")
_WORDS: Final = {True: "yes", False: "**no**", None: ""}


def number(value: float | None) -> str:
    """Format with three significant digits and without an exponent."""
    if value is None:
        return ""
    whole = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return whole if "e" not in whole else f"{value:.6f}".rstrip("0")


def cells(row: Row) -> tuple[str, ...]:
    """Return the cells of a row, in the order of `HEAD`."""
    return (
        row.benchmark,
        row.name,
        number(row.value),
        row.unit,
        row.baseline,
        number(row.baseline_value),
        number(row.ratio),
        str(row.goal or ""),
        _WORDS[row.met],
        f"±{row.spread:.0%}" if row.runs > 1 else "",
        str(row.runs) if row.runs > 1 else "",
    )


def terminal(rows: Iterable[Row]) -> Table:
    """Return the results as a rich table."""
    table = Table(*HEAD, row_styles=("", "dim"), title="benchmarks")
    for row in rows:
        style = {True: "green", False: "red bold", None: ""}[row.met]
        *front, met, spread, runs = cells(row)
        table.add_row(*front, f"[{style}]{met.strip('*')}[/]" if style else met, spread, runs)
    return table


def markdown(rows: Sequence[Row]) -> str:
    """Return the results as a Markdown table with notes below it."""
    lines = [" | ".join(HEAD), "|".join("---:" if column in _NUMERIC else "---" for column in HEAD)]
    lines += [" | ".join(cells(row)) for row in rows]
    notes = [f"- {row.benchmark}, {row.name}: {row.note}" for row in rows if row.note]
    missed = [f"- missed: {limit}" for limit in limits(rows)]
    return "\n".join([*(f"| {line} |" for line in lines), "", *missed, *notes])


def limits(rows: Iterable[Row]) -> list[str]:
    """Return the explanations of missed goals. Rows with the same explanation share one line."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.limit:
            names.setdefault(row.limit, []).append(f"{row.benchmark}, {row.name}")
    return [f"{'; '.join(missed)}: {limit}" for limit, missed in names.items()]


def machine() -> str:
    """Return a description of this machine."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def write_json(
    rows: Iterable[Row],
    path: Path,
    *,
    quick: bool,
    every_case: bool,
    took_s: float,
    facts: Mapping[str, float],
    skipped: Sequence[str],
) -> None:
    """Write the results as JSON, for `--markdown`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": machine(),
        "quick": quick,
        "every_case": every_case,
        "took_s": round(took_s, 1),
        "facts": dict(facts),
        "skipped": list(skipped),
        "rows": [row.as_json() for row in rows],
    }
    path.write_text(as_text(document), encoding="utf-8")


def as_text(document: Mapping[str, Any]) -> str:
    """Return the document as JSON that shows its changes line by line."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
