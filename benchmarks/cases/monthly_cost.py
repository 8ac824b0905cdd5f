"""Monthly cost of a hundred clusters with the default sweep rate."""

from typing import Final

from benchmarks.cases import fleet, warm_check
from benchmarks.harness import cost_model
from benchmarks.harness.row import Goal, Row
from benchmarks.harness.run import Run

NAME: Final = f"cost of {cost_model.CLUSTERS} clusters a month"


def run(run: Run) -> list[Row]:
    """Compute the cost from the results of `fleet` and `warm_check`; runs those cases first when they are missing."""
    if "sweep_cpu_ms" not in run.facts:
        fleet.run(run)
    if "log_bytes" not in run.facts:
        warm_check.run(run)
    page = cost_model.COST_PAGE.read_text(encoding="utf-8")
    items = cost_model.month(page, **{name: run.facts[fact] for name, fact in cost_model.MEASURED.items()})
    whole, fixed = cost_model.total(items), cost_model.fixed(items)
    run.log(", ".join(f"{name} {item.count:,.2f} = {item.dollars:.2f}" for name, item in items.items()))
    goal = Goal(on="value", bound=4.0)
    return [
        Row(benchmark=NAME, name="clusters", value=whole - fixed, unit="USD", note=_how(run)),
        Row(benchmark=NAME, name="stack without clusters", value=fixed, unit="USD", note="alarms, key and one metric"),
        Row(benchmark=NAME, name="total", value=whole, unit="USD", goal=goal, note="without the free tier"),
    ]


def _how(run: Run) -> str:
    billed = cost_model.gb_seconds_a_check(run.facts["sweep_cpu_ms"]) * 1024 / cost_model.CHECKER_MIB * 1e3
    return f"{billed:.0f} ms a check at {cost_model.CHECKER_MIB} MB, of which {cost_model.NETWORK_MS:.0f} ms are assumed network time"
