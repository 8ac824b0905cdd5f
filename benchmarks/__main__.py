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

from benchmarks.harness import comparison, cost_model, emulated_functions
from benchmarks.harness.row import Goal, Row
from benchmarks.harness.run import Run
from benchmarks.harness.table import MEMORY_SIZES, as_text, limits, markdown, terminal, write_json

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
    "repair_memory",
    "admission",
    "scale",
)
LONGEST_S: Final = 40 * 60
"""Time limit of a full run. The largest case runs last and is skipped when it does not fit."""
_ROOT: Final = Path(__file__).resolve().parent.parent
OUT: Final = _ROOT / "build" / "bench.json"
COMMITTED: Final = _ROOT / "benchmarks" / "results.json"
"""The rows of the last committed results; `--markdown` writes them."""
PAGE: Final = _ROOT / "docs" / "performance.md"
RESULTS: Final = "## Latest results\n"
CURVE: Final = re.compile(r"(?<=<!-- memory sizes -->\n).*?(?=<!-- end of memory sizes -->)", re.DOTALL)


def main(arguments: Sequence[str]) -> int:
    """Run the cases and print the results. Returns 1 when a goal is missed and 2 when a case fails to run."""
    options = _parser().parse_args(arguments)
    if options.markdown and OUT.exists() and not options.cases:
        latest = json.loads(OUT.read_text(encoding="utf-8"))
        if latest["quick"]:
            print("The latest run was a quick one, with smaller clusters. Run `make bench` without QUICK first.", file=sys.stderr)
            return 2
        _write_pages(latest)
        return 0
    console = Console(stderr=True)
    run = Run(quick=bool(os.environ.get("QUICK")), log=console.log, time_limit_s=float("inf") if options.cases else LONGEST_S)
    failed = [name for name in options.cases or CASES if not _run_case(name, run, console)]
    shutil.rmtree(emulated_functions.scratch_folder(), ignore_errors=True)
    took_s = time.monotonic() - run.started
    write_json(run.rows, OUT, quick=run.quick, every_case=not options.cases, took_s=took_s, facts=run.facts, skipped=run.skipped)
    wide = Console(width=max(Console().width, 200))
    wide.print(terminal(run.rows))
    for line in (*(f"missed: {limit}" for limit in limits(run.rows)), *(f"skipped: {case}" for case in run.skipped), *_compared(run.rows)):
        wide.print(line, markup=False, highlight=False)
    if failed:
        console.log(f"[red]failed to run: {', '.join(failed)}")
        return 2
    return int(any(row.met is False for row in run.rows))


def committed_rows() -> list[Row]:
    """Return the rows of the last committed results; none in a folder without them."""
    return list(map(_row, json.loads(COMMITTED.read_text(encoding="utf-8"))["rows"])) if COMMITTED.exists() else []


def _compared(rows: Sequence[Row]) -> list[str]:
    """Return a line for each regression against the committed results, and one about the comparison itself."""
    committed = committed_rows()
    worse, unknown = comparison.regressions(rows, committed), comparison.missing(rows, committed)
    found = f"{len(worse)} of {len(rows) - unknown} values are worse than the committed ones by more than the spread"
    return [*(f"regression: {line}" for line in worse), f"compared: {found}; {unknown} are not among them"]


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
    """Write the results to `results.json` and `docs/performance.md`, and update the pages that name the cost.

    Rows that a run of some cases did not measure stay as they were.
    """
    measured_rows = list(map(_row, document["rows"]))
    rows = measured_rows if document["every_case"] else comparison.merged(measured_rows, committed_rows())
    COMMITTED.write_text(as_text({"rows": [row.as_json() for row in rows]}), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    if curve := _section(document, measured_rows, rows, is_curve=True):
        page = CURVE.sub(lambda _: f"{curve}\n", page)
    if results := _section(document, measured_rows, rows, is_curve=False):
        before, heading, _ = page.partition(RESULTS)
        page = f"{before}{heading}\n{results}\n"
    print("\n\n".join(filter(None, (curve, results))))
    PAGE.write_text(page, encoding="utf-8")
    measured = {name: document["facts"].get(fact) for name, fact in cost_model.MEASURED.items()}
    if all(measured.values()):
        cost_model.update_pages(**measured)


def _section(document: dict[str, Any], measured_rows: Sequence[Row], rows: Sequence[Row], *, is_curve: bool) -> str:
    """Return one section of the page, or nothing if the run measured none of its rows."""
    measured, shown = ([row for row in of if (row.benchmark == MEMORY_SIZES) is is_curve] for of in (measured_rows, rows))
    if not measured:
        return ""
    earlier = f" {len(shown) - len(measured)} rows are from earlier runs." if len(shown) > len(measured) else ""
    skipped = f" Skipped: {'; '.join(document['skipped'])}." if document["skipped"] else ""
    return f"A run on {document['machine']}, {document['took_s']:.0f} s.{earlier}{skipped}\n\n{markdown(shown)}"


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
        help=f"print the latest results from build/{OUT.name}; write them to {COMMITTED.name}, docs/{PAGE.name} and docs/cost.md",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
