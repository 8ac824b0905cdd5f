"""Monthly cost from counted requests, measured durations and the list prices of `docs/cost.md`; also updates the pages that name it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lambdas.contract.environment import Function
from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.contract.memory import MEMORY_MIB
from lambdas.domain.fleet import KNOWN_GOOD_MAX_AGE

ROOT: Final = Path(__file__).resolve().parents[2]
COST_PAGE: Final = ROOT / "docs" / "cost.md"
PAGES_WITH_THE_COST: Final = (COST_PAGE, ROOT / "README.md", ROOT / "docs" / "faq.md")
"""The pages that name the cost of a month."""
CLUSTERS: Final = 100
CHECKER_MIB: Final = MEMORY_MIB[Function.CHECKER]
FULL_CPU_MIB: Final = 1769
"""Memory at which a function gets one whole vCPU.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
"""
NETWORK_MS: Final = 80.0
"""Assumed network time of a sweep's check: four sequential round trips of 20 ms, which one machine cannot measure.

They are the row of the incident, the AWS APIs, the handshake with the API server, and its lists.
"""
SWEEP_NETWORK_MS: Final = 500.0
"""Assumed network time of a sweep of a hundred clusters: 25 sequential round trips for parameters, clusters, invocations and states."""
LINE_OVERHEAD_BYTES: Final = 26
"""Bytes that CloudWatch Logs bills for each event besides its text.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
"""
MINUTES_A_MONTH: Final = 30 * 24 * 60
SWEEPS: Final = MINUTES_A_MONTH / SWEEP_RATE_MINUTES
CHECKS: Final = SWEEPS * CLUSTERS
WRITES_A_CHECK: Final = 60 * SWEEP_RATE_MINUTES / KNOWN_GOOD_MAX_AGE.total_seconds()
FIXED: Final = ("alarms on the remediator", "permanent metrics", "KMS key for the topics")
"""Items whose cost does not depend on the number of clusters."""
FREE: Final = {
    "Lambda requests": 1e6,
    "Lambda GB-seconds, arm64": 400_000,
    "alarms on the remediator": 10,
    "permanent metrics": 10,
    "log ingestion, GB": 5,
}
"""The permanent free tier: item -> amount a month.

Source: https://aws.amazon.com/lambda/pricing/ and https://aws.amazon.com/cloudwatch/pricing/
"""
MEASURED: Final = {"cpu_ms": "sweep_cpu_ms", "fan_out_cpu_ms": "fan_out_cpu_ms", "log_bytes": "log_bytes"}
"""The measured arguments of `month` and `update_pages`: name -> the fact of a run."""
_ROW: Final = re.compile(r"^\| ([\w ,-]+) \| ([\d.,]+) \| ([\d.]+) \| ([\d.]+) \| (.*) \|$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One row of the page's first table. `each` is the list price of one unit in US dollars."""

    count: float
    each: float

    @property
    def dollars(self) -> float:
        """Cost rounded to the cent, so that the page's rows add up to its sum."""
        return round(self.count * self.each, 2)


def list_prices(page: str) -> dict[str, Item]:
    """Parse the page's first table."""
    rows = _ROW.findall(page.partition("## Optional costs")[0])
    return {name: Item(count=float(count.replace(",", "")), each=float(each)) for name, count, each, *_ in rows}


def gb_second() -> float:
    """Return the list price of one GB-second in US dollars."""
    return list_prices(COST_PAGE.read_text(encoding="utf-8"))["Lambda GB-seconds, arm64"].each


def gb_seconds(cpu_ms: float, network_ms: float) -> float:
    """Return the billed GB-seconds of one event: its CPU time at the vCPU share of the memory size, plus the network time."""
    return ((cpu_ms * max(1.0, FULL_CPU_MIB / CHECKER_MIB) + network_ms) / 1e3) * CHECKER_MIB / 1024


def gb_seconds_a_check(cpu_ms: float) -> float:
    """Return the billed GB-seconds of one check."""
    return gb_seconds(cpu_ms, NETWORK_MS)


def month(page: str, *, cpu_ms: float, fan_out_cpu_ms: float, log_bytes: float) -> dict[str, Item]:
    """Return every item of the page, with the counted and measured ones updated."""
    counts = {
        "Lambda requests": CHECKS + SWEEPS,
        "Lambda GB-seconds, arm64": CHECKS * gb_seconds_a_check(cpu_ms) + SWEEPS * gb_seconds(CLUSTERS * fan_out_cpu_ms, SWEEP_NETWORK_MS),
        "DynamoDB read units": CHECKS + CHECKS / 2,  # a sweep counts the rows by eventually consistent reads
        "DynamoDB write units": CHECKS * WRITES_A_CHECK,
        "log ingestion, GB": CHECKS * log_bytes / 1e9,
    }
    return {name: Item(count=counts.get(name, item.count), each=item.each) for name, item in list_prices(page).items()}


def total(items: Mapping[str, Item]) -> float:
    """Return US dollars a month."""
    return sum(item.dollars for item in items.values())


def fixed(items: Mapping[str, Item]) -> float:
    """Return US dollars a month for the stack without clusters."""
    return sum(items[name].dollars for name in FIXED)


def beyond_free(items: Mapping[str, Item]) -> float:
    """Return US dollars a month when nothing else uses the free tier."""
    return sum(Item(count=max(0.0, item.count - FREE.get(name, 0)), each=item.each).dollars for name, item in items.items())


def update_pages(*, cpu_ms: float, fan_out_cpu_ms: float, log_bytes: float) -> None:
    """Write the cost that follows from these measurements to every page that names it."""
    page = COST_PAGE.read_text(encoding="utf-8")
    items = month(page, cpu_ms=cpu_ms, fan_out_cpu_ms=fan_out_cpu_ms, log_bytes=log_bytes)
    COST_PAGE.write_text(_with_table(page, items, cpu_ms=cpu_ms, fan_out_cpu_ms=fan_out_cpu_ms, log_bytes=log_bytes), encoding="utf-8")
    for path in PAGES_WITH_THE_COST:
        path.write_text(with_the_cost(path.read_text(encoding="utf-8"), items), encoding="utf-8")


def with_the_cost(page: str, items: Mapping[str, Item]) -> str:
    """Return the page with its sentence on the cost of a month updated."""
    stack, clusters = f"{fixed(items):.2f}", f"{total(items) - fixed(items):.2f}"
    page = re.sub(r"(bout )[\d.]+(?= USD a month for (?:the stack itself|an account), and )", rf"\g<1>{stack}", page)
    return re.sub(r"(bout [\d.]+ USD a month for (?:the stack itself|an account), and )[\d.]+", rf"\g<1>{clusters}", page)


def _with_table(page: str, items: Mapping[str, Item], *, cpu_ms: float, fan_out_cpu_ms: float, log_bytes: float) -> str:
    head, mark, rest = page.partition("## Optional costs")

    def line(found: re.Match[str]) -> str:
        name, item = found[1], items[found[1]]
        count = f"{item.count:,.2f}" if item.count < 10 and item.count % 1 else f"{item.count:,.0f}"
        return f"| {name} | {count} | {found[3]} | {item.dollars:.2f} | {found[5]} |"

    head = _ROW.sub(line, head)
    for pattern, dollars in (
        (r"(\*\*sum\*\* \| \| \| \*\*)[\d.]+", total(items)),
        (r"(the same month costs )[\d.]+", beyond_free(items)),
    ):
        head = re.sub(pattern, rf"\g<1>{dollars:.2f}", head)
    measured = f"measured: {cpu_ms:.0f} ms of a whole processor, so {cpu_ms * FULL_CPU_MIB / CHECKER_MIB:.0f} ms at {CHECKER_MIB} MB"
    head = re.sub(r"measured: \d+ ms of a whole processor, so \d+ ms at \d+ MB", measured, head)
    head = re.sub(r"[\d.]+ ms of the sweep itself", f"{fan_out_cpu_ms:.1f} ms of the sweep itself", head)
    head = re.sub(r"measured: [\d.]+ KB a check", f"measured: {log_bytes / 1e3:.2f} KB a check", head)
    return head + mark + rest
