"""The table of `docs/cost.md` adds up, and its counted figures match the stack."""

import re

import pytest

from lambdas.application.remediation import watch
from lambdas.application.workflow_steps import Meter
from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.domain.fleet import KNOWN_GOOD_MAX_AGE
from tests.infra.templates import ROOT, Template, of_type
from tests.unit.workflow.workflow_run import run_workflow

CLUSTERS, MINUTES_A_MONTH = 100, 30 * 24 * 60


def rows() -> dict[str, tuple[float, float, float]]:
    """Return the items of the first table: name -> (count a month, unit price, dollars)."""
    text = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8").partition("## Optional costs")[0]
    cells = (line.strip("| ").split(" | ") for line in text.splitlines() if re.match(r"\| [\w ,-]+ \| [\d.,]+ \|", line))
    return {item[0]: tuple(float(cell.replace(",", "")) for cell in item[1:4]) for item in cells}  # type: ignore[misc]


def test_each_row_and_the_sum_are_correct() -> None:
    for name, (count, price, dollars) in rows().items():
        assert abs(count * price - dollars) < 0.006, name
    assert abs(sum(dollars for *_, dollars in rows().values()) - _sum()) < 0.006


def test_a_hundred_clusters_cost_at_most_four_dollars() -> None:
    assert _sum() <= 4.00


def _sum() -> float:
    (total,) = re.findall(r"\*\*sum\*\* \| \| \| \*\*([\d.]+)\*\*", (ROOT / "docs" / "cost.md").read_text(encoding="utf-8"))
    return float(total)


@pytest.mark.parametrize("page", ["docs/cost.md", "README.md", "docs/faq.md"])
def test_each_page_that_names_the_cost_agrees_with_the_sum(page: str) -> None:
    total, text = _sum(), (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"bout ([\d.]+) USD a month for (?:the stack itself|an account), and ([\d.]+) USD", text)
    ((stack, clusters),) = named
    assert abs(float(stack) + float(clusters) - total) < 0.011


def test_durable_operations_are_those_of_a_repair_and_a_watch() -> None:
    """Ten usual repairs with the allowance of the benchmark, and a watch to its end, metered as AWS does."""
    meter = Meter()
    run_workflow(prepare=lambda _, steps: setattr(steps, "meter", meter))
    watched = sum(watch.reminder_schedule(seconds).polls for seconds in watch.REMINDERS_S)
    assert 10 * meter.operations <= rows()["durable operations, 10 repairs"][0]
    text = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
    assert f"{round(watched, -1)} where no one repairs" in text


def test_counted_figures_follow_from_contract_and_template(minimal: Template) -> None:
    sweeps = MINUTES_A_MONTH / SWEEP_RATE_MINUTES
    counted = {name: count for name, (count, *_) in rows().items()}
    of_check, of_gauges = 1, 0.5  # a consistent and an eventually consistent read
    assert counted["DynamoDB read units"] == sweeps * CLUSTERS * (of_check + of_gauges)
    assert counted["permanent metrics"] == 1
    assert counted["DynamoDB write units"] == sweeps * CLUSTERS * SWEEP_RATE_MINUTES * 60 / KNOWN_GOOD_MAX_AGE.total_seconds()
    assert counted["Lambda requests"] == sweeps * (CLUSTERS + 1)
    assert counted["alarms on the remediator"] == len(of_type(minimal, "AWS::CloudWatch::Alarm"))
    assert counted["KMS key for the topics"] == len(of_type(minimal, "AWS::KMS::Key"))
