"""The table of `docs/cost.md` adds up, and every page that names the cost of a month agrees with it."""

import re
from pathlib import Path
from typing import Final

import pytest

from benchmarks.harness import cost_model
from lambdas.application.remediation import watch
from lambdas.application.workflow_steps import Meter
from tests.unit.workflow.workflow_run import run_workflow

PAGE: Final = cost_model.COST_PAGE.read_text(encoding="utf-8")


def test_each_row_and_the_sum_are_correct() -> None:
    rows = re.findall(r"^\| [\w ,-]+ \| ([\d.,]+) \| ([\d.]+) \| ([\d.]+) \|", PAGE, re.MULTILINE)
    assert len(rows) == len(cost_model.list_prices(PAGE)) > 8
    for count, price, dollars in rows:
        assert abs(float(count.replace(",", "")) * float(price) - float(dollars)) < 0.006, (count, price)
    assert abs(sum(float(dollars) for *_, dollars in rows) - _sum()) < 0.006


def test_a_hundred_clusters_cost_at_most_four_dollars() -> None:
    assert _sum() <= 4.00


def _sum() -> float:
    (total,) = re.findall(r"\*\*sum\*\* \| \| \| \*\*([\d.]+)\*\*", PAGE)
    return float(total)


@pytest.mark.parametrize("path", cost_model.PAGES_WITH_THE_COST, ids=lambda path: path.name)
def test_each_page_that_names_the_cost_agrees_with_the_sum(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    ((stack, clusters),) = re.findall(r"bout ([\d.]+) USD a month for (?:the stack itself|an account), and ([\d.]+) USD", text)
    assert abs(float(stack) + float(clusters) - _sum()) < 0.011
    assert cost_model.with_the_cost(text, cost_model.list_prices(PAGE)) == text


def test_durable_operations_are_those_of_a_repair_and_a_watch() -> None:
    """Ten usual repairs with the allowance of the benchmark, and a watch to its end, metered as AWS does."""
    meter = Meter()
    run_workflow(prepare=lambda _, steps: setattr(steps, "meter", meter))
    watched = sum(watch.reminder_schedule(seconds).polls for seconds in watch.REMINDERS_S)
    assert 10 * meter.operations <= cost_model.list_prices(PAGE)["durable operations, 10 repairs"].count
    assert f"{round(watched, -1)} where no one repairs" in PAGE
