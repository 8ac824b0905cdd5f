"""What a month costs, from counted requests and measured durations, at the list prices of `docs/cost.md`."""

import re
from pathlib import Path
from typing import Final

COST_PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "cost.md"
FULL_CPU_MIB: Final = 1769
"""Memory at which a function has one whole processor.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""
AWAY_MS: Final = 60.0
"""What a check waits for the network: about three trips one after the other of 20 ms each, which no measurement on one machine can tell."""
MINUTES_A_MONTH: Final = 30 * 24 * 60
FIXED: Final = ("alarms on ourselves", "metrics that are always there", "KMS key for the topics")
"""Items that do not grow with the number of clusters."""


def list_prices() -> dict[str, tuple[float, float]]:
    """The page's first table: item -> (a month, price of one in US dollars)."""
    text = COST_PAGE.read_text(encoding="utf-8").partition("## What you may add")[0]
    rows = (line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| [\w ,-]+ \| [\d.,]+ \|", line))
    return {row[0]: (float(row[1].replace(",", "")), float(row[2])) for row in rows}


def gb_seconds_a_check(cpu_ms: float, memory_mib: int) -> float:
    """What Lambda bills for one warm check: its CPU time at the share of a processor that the memory buys, and the waiting."""
    return ((cpu_ms * max(1.0, FULL_CPU_MIB / memory_mib) + AWAY_MS) / 1e3) * memory_mib / 1024


def month(*, checks: float, sweeps: float, cpu_ms: float, log_bytes: float, writes_a_check: float, memory_mib: int) -> dict[str, float]:
    """Item -> how much of it a month takes; what is not computed here stands on the page."""
    counts = {name: count for name, (count, _) in list_prices().items()}
    return counts | {
        "Lambda requests": checks + sweeps,
        "Lambda GB-seconds, arm64": checks * gb_seconds_a_check(cpu_ms, memory_mib),
        "EventBridge custom events": checks,
        "DynamoDB write units": checks * writes_a_check,
        "log gigabytes taken in": checks * log_bytes / 1e9,
    }
