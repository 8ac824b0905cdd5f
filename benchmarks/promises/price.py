"""The price of a hundred clusters a month with the default sweep."""

from typing import Final

from benchmarks import price
from benchmarks.promises import fleet, warm_check
from benchmarks.row import Goal, Row
from benchmarks.run import Run

NAME: Final = f"price, {price.CLUSTERS} clusters a month"


def run(run: Run) -> list[Row]:
    """Follows from what `fleet` and `warm_check` measured, which is measured now if it was not asked for."""
    if "sweep_cpu_ms" not in run.facts:
        fleet.run(run)
    if "log_bytes" not in run.facts:
        warm_check.run(run)
    page = price.COST_PAGE.read_text(encoding="utf-8")
    items = price.month(page, cpu_ms=run.facts["sweep_cpu_ms"], log_bytes=run.facts["log_bytes"])
    whole, fixed = price.total(items), price.fixed(items)
    run.say(", ".join(f"{name} {item.count:,.2f} = {item.dollars:.2f}" for name, item in items.items()))
    goal = Goal(on="value", bound=5)
    return [
        Row(promise=NAME, name="what the clusters cost", value=whole - fixed, unit="USD", note=_how(run)),
        Row(promise=NAME, name="what the stack costs without any", value=fixed, unit="USD", note="alarms, key, a metric: the same for one"),
        Row(promise=NAME, name="both", value=whole, unit="USD", goal=goal, note="no free tier taken off"),
    ]


def _how(run: Run) -> str:
    billed = price.gb_seconds_a_check(run.facts["sweep_cpu_ms"]) * 1024 / price.MEMORY_MIB * 1e3
    return f"{billed:.0f} ms a check at {price.MEMORY_MIB} MB, of which {price.AWAY_MS:.0f} ms are an assumed network"
