"""`python -m benchmarks [CASE ...]`: run all benchmark cases, or the named ones. `QUICK=1` runs fewer rounds on smaller clusters."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from benchmarks.harness import cost_model, emulated_functions
from benchmarks.harness.row import Goal, Row
from benchmarks.harness.run import Run
from benchmarks.harness.table import MEMORY_SIZES, limits, markdown, terminal, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

CASES: Final = (
    "asset_size",
    "checker_cold_start",
    "remediator_cold_start",
    "warm_check",
    "large_cluster",
    "fleet",
    "storm",
    "audit_log",
    "repair",
    "detection",
    "monthly_cost",
    "memory_sizes",
    "admission",
    "scale",
)
LONGEST_S: Final = 15 * 60
"""Time limit of a full run. The largest case runs last and is skipped when it does not fit."""
_ROOT: Final = Path(__file__).resolve().parent.parent
OUT: Final = _ROOT / "build" / "bench.json"
PAGE: Final = _ROOT / "docs" / "performance.md"
RESULTS: Final = "## Latest results\n"
CURVE: Final = re.compile(r"(?<=<!-- memory sizes -->\n).*?(?=<!-- end of memory sizes -->)", re.DOTALL)


def main(arguments: Sequence[str]) -> int:
    """Run the cases and print the results. Returns 1 when a goal is missed and 2 when a case fails to run."""
    options = _parser().parse_args(arguments)
    if options.markdown and OUT.exists() and not options.cases:
        _write_pages(json.loads(OUT.read_text(encoding="utf-8")))
        return 0
    console = Console(stderr=True)
    run = Run(quick=bool(os.environ.get("QUICK")), log=console.log, time_limit_s=float("inf") if options.cases else LONGEST_S)
    failed = [name for name in options.cases or CASES if not _run_case(name, run, console)]
    shutil.rmtree(emulated_functions.scratch_folder(), ignore_errors=True)
    write_json(run.rows, OUT, quick=run.quick, took_s=time.monotonic() - run.started, facts=run.facts, skipped=run.skipped)
    wide = Console(width=max(Console().width, 200))
    wide.print(terminal(run.rows))
    for line in (*(f"missed: {limit}" for limit in limits(run.rows)), *(f"skipped: {case}" for case in run.skipped)):
        wide.print(line, markup=False, highlight=False)
    if failed:
        console.log(f"[red]failed to run: {', '.join(failed)}")
        return 2
    return int(any(row.met is False for row in run.rows))


def _run_case(name: str, run: Run, console: Console) -> bool:
    began = time.monotonic()
    console.log(f"measuring {name} …")
    try:
        rows = importlib.import_module(f"benchmarks.cases.{name}").run(run)
    except Exception:  # noqa: BLE001  # the other cases still run
        console.print_exception(max_frames=6)
        return False
    run.rows += rows
    missed = [row.name for row in rows if row.met is False]
    console.log(f"measured {name} in {time.monotonic() - began:.0f} s" + (f", missed: {', '.join(missed)}" if missed else ""))
    return True


def _write_pages(document: dict[str, Any]) -> None:
    """Print the results, write them to the end of `docs/performance.md`, and update the measured figures of `docs/cost.md`."""
    how = "quick" if document["quick"] else "full"
    skipped = f" Skipped: {'; '.join(document['skipped'])}." if document["skipped"] else ""
    rows = [_row(row) for row in document["rows"]]
    curve, others = ([row for row in rows if (row.benchmark == MEMORY_SIZES) is is_curve] for is_curve in (True, False))
    begin = f"A {how} run on {document['machine']}, {document['took_s']:.0f} s.{skipped}"
    page = PAGE.read_text(encoding="utf-8")
    if curve:
        page = CURVE.sub(lambda _: f"{begin}\n\n{markdown(curve)}\n", page)
        print(markdown(curve))
    if others:
        results = f"{begin}\n\n{markdown(others)}"
        print(results)
        before, heading, _ = page.partition(RESULTS)
        page = f"{before}{heading}\n{results}\n"
    PAGE.write_text(page, encoding="utf-8")
    measured = {name: document["facts"].get(fact) for name, fact in (("cpu_ms", "sweep_cpu_ms"), ("log_bytes", "log_bytes"))}
    if all(measured.values()):
        cost_model.COST_PAGE.write_text(
            cost_model.rewritten(cost_model.COST_PAGE.read_text(encoding="utf-8"), **measured), encoding="utf-8"
        )


def _row(stored: dict[str, Any]) -> Row:
    fields = {key: value for key, value in stored.items() if key not in ("goal", "met")}
    on, _, rest = (stored["goal"] or "").partition(" ")
    sign, _, bound = rest.partition(" ")
    return Row(**fields, goal=Goal(on="ratio" if on == "ratio" else "value", bound=float(bound), at_least=sign == ">=") if bound else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], help="the cases to run; all of them by default")
    parser.add_argument(
        "--markdown",
        action="store_true",
        help=f"print the latest results from build/{OUT.name} and write them to docs/{PAGE.name} and docs/cost.md",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
