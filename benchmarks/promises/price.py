"""The price of a hundred clusters a month with the default sweep."""

from typing import Final

from benchmarks import price
from benchmarks.promises import warm_check
from benchmarks.row import Goal, Row
from benchmarks.run import Run
from lambdas.contract.events import SWEEP_RATE_MINUTES

NAME: Final = "price, 100 clusters a month"
CLUSTERS: Final = 100
MEMORY_MIB: Final = 256
"""As `infra.functions` sizes the checker."""
WRITES_A_CHECK: Final = 2  # the signal, refused or not, and the time of the check; each a write unit, since a row is below 1 KB


def run(run: Run) -> list[Row]:
    """Follows from what `warm_check` measured, which is measured now if it was not asked for."""
    if "warm_cpu_ms" not in run.facts:
        warm_check.run(run)
    sweeps = price.MINUTES_A_MONTH / SWEEP_RATE_MINUTES
    counts = price.month(
        checks=sweeps * CLUSTERS,
        sweeps=sweeps,
        cpu_ms=run.facts["warm_cpu_ms"],
        log_bytes=run.facts["log_bytes"],
        writes_a_check=WRITES_A_CHECK,
        memory_mib=MEMORY_MIB,
    )
    dollars = {name: counts[name] * each for name, (_, each) in price.list_prices().items()}
    fixed = sum(dollars[name] for name in price.FIXED)
    grown = sum(dollars.values()) - fixed
    run.say(", ".join(f"{name} {counts[name]:,.2f} = {dollars[name]:.2f}" for name in dollars))
    return [
        Row(promise=NAME, name="what the clusters cost", value=grown, unit="USD", goal=Goal(on="value", bound=5), note=_how(counts)),
        Row(promise=NAME, name="what the stack costs without any", value=fixed, unit="USD", note="alarms, key, metrics: the same for one"),
        Row(promise=NAME, name="both", value=grown + fixed, unit="USD", goal=Goal(on="value", bound=5), note="no free tier taken off"),
    ]


def _how(counts: dict[str, float]) -> str:
    seconds = counts["Lambda GB-seconds, arm64"] / counts["EventBridge custom events"]
    return f"{seconds * 1024 / MEMORY_MIB * 1e3:.0f} ms a check at {MEMORY_MIB} MB, of which {price.AWAY_MS:.0f} ms are an assumed network"
