"""`python -m benchmarks [PROMISE ...]`: measure every promise, or those named; `QUICK=1` for less thorough and faster."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from benchmarks import functions, price
from benchmarks.row import Goal, Row
from benchmarks.run import Run
from benchmarks.table import limits, markdown, terminal, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

PROMISES: Final = (
    "asset",
    "cold_start",
    "remediator_start",
    "warm_check",
    "big_cluster",
    "fleet",
    "storm",
    "audit_log",
    "repair",
    "detection",
    "price",
    "scale",
)
LONGEST_S: Final = 15 * 60
"""What the whole may take: the largest world, which comes last, is left out where it would take longer."""
_ROOT: Final = Path(__file__).resolve().parent.parent
OUT: Final = _ROOT / "build" / "bench.json"
PAGE: Final = _ROOT / "docs" / "performance.md"
RESULTS: Final = "## Latest results\n"


def main(arguments: Sequence[str]) -> int:
    """Exit code 1 where a goal is missed, 2 where a promise could not be measured."""
    asked = _parser().parse_args(arguments)
    if asked.markdown and OUT.exists() and not asked.promises:
        _write_pages(json.loads(OUT.read_text(encoding="utf-8")))
        return 0
    console = Console(stderr=True)
    run = Run(quick=bool(os.environ.get("QUICK")), say=console.log, longest_s=float("inf") if asked.promises else LONGEST_S)
    broken = [name for name in asked.promises or PROMISES if not _measured(name, run, console)]
    shutil.rmtree(functions.scratch(), ignore_errors=True)
    write_json(run.rows, OUT, quick=run.quick, took_s=time.monotonic() - run.began, facts=run.facts, left_out=run.left_out)
    wide = Console(width=max(Console().width, 200))
    wide.print(terminal(run.rows))
    for line in (*(f"missed: {limit}" for limit in limits(run.rows)), *(f"left out: {item}" for item in run.left_out)):
        wide.print(line, markup=False, highlight=False)
    if broken:
        console.log(f"[red]could not be measured: {', '.join(broken)}")
        return 2
    return int(any(row.met is False for row in run.rows))


def _measured(name: str, run: Run, console: Console) -> bool:
    began = time.monotonic()
    console.log(f"measuring {name} …")
    try:
        rows = importlib.import_module(f"benchmarks.promises.{name}").run(run)
    except Exception:  # noqa: BLE001  # the other promises are measured all the same
        console.print_exception(max_frames=6)
        return False
    run.rows += rows
    missed = [row.name for row in rows if row.met is False]
    console.log(f"measured {name} in {time.monotonic() - began:.0f} s" + (f", missed: {', '.join(missed)}" if missed else ""))
    return True


def _write_pages(document: dict[str, Any]) -> None:
    """Print the results and put them at the end of the page about them; put what was measured into the page about costs."""
    how = "quick" if document["quick"] else "full"
    without = f" Left out: {'; '.join(document['left_out'])}." if document["left_out"] else ""
    table = markdown([_row(row) for row in document["rows"]])
    told = f"A {how} run on {document['machine']}, {document['took_s']:.0f} s.{without}\n\n{table}"
    print(told)
    before, heading, _ = PAGE.read_text(encoding="utf-8").partition(RESULTS)
    PAGE.write_text(f"{before}{heading}\n{told}\n", encoding="utf-8")
    measured = {name: document["facts"].get(fact) for name, fact in (("cpu_ms", "sweep_cpu_ms"), ("log_bytes", "log_bytes"))}
    if all(measured.values()):
        price.COST_PAGE.write_text(price.rewritten(price.COST_PAGE.read_text(encoding="utf-8"), **measured), encoding="utf-8")


def _row(stored: dict[str, Any]) -> Row:
    plain = {key: value for key, value in stored.items() if key not in ("goal", "met")}
    on, _, rest = (stored["goal"] or "").partition(" ")
    sign, _, bound = rest.partition(" ")
    return Row(**plain, goal=Goal(on="ratio" if on == "ratio" else "value", bound=float(bound), at_least=sign == ">=") if bound else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("promises", nargs="*", choices=[*PROMISES, []], help="all of them unless named")
    parser.add_argument(
        "--markdown",
        action="store_true",
        help=f"print the latest results, from build/{OUT.name}, and put them into docs/{PAGE.name} and docs/cost.md",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
