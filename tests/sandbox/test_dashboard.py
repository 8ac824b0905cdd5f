"""What the dashboard and the alarms draw is what whole runs on the small EKS emit: the same names, dimensions and units."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lambdas.contract.metrics import ALL
from lambdas.contract.names import METRIC_NAMESPACE
from sandbox.aws.eks_clusters import ClusterSpec
from sandbox.play.play import Play
from sandbox.play.scenario import load
from sandbox.play.stage import Stage
from tests.infra.templates import MINIMAL, Template, synthesize
from tests.infra.test_watching import alarms, drawn, widgets
from tests.sandbox.expectations import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = pytest.mark.sandbox

PLAYS = ("found-by-sweep", "no-access")
"""A repair that begins with a sweep, and a cluster that does not let us in, each beside one that nobody bound: every metric of ours."""

Emitted = tuple[str, tuple[str, ...], str]


@pytest.fixture(scope="module")
def template() -> Template:
    return synthesize(MINIMAL)["EksIrsaRemediator"]


@pytest.fixture(scope="module")
def emitted() -> set[Emitted]:
    """Name, dimensions and unit of every metric in the functions' logs, as CloudWatch reads them."""
    return {it for name in PLAYS for it in metrics_in(lines_of(name))}


def lines_of(scenario: str) -> list[str]:
    told = load(scenario)
    with Stage(told.world, skip_time=told.hurry) as stage:
        stage.aws.eks.add_cluster(ClusterSpec(name="nobodys", version="1.33", endpoint=stage.ground.url, ca_data=stage.ground.ca_data))
        Play(told, stage, lasts_s=PATIENCE_S).run()
        return [line for _, line in stage.lines]


def metrics_in(lines: Iterable[str]) -> Iterator[Emitted]:
    """Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"""
    for line in lines:
        for directive in _json(line).get("_aws", {}).get("CloudWatchMetrics", []):
            assert directive["Namespace"] == METRIC_NAMESPACE
            for metric in directive["Metrics"]:
                assert isinstance(_json(line)[metric["Name"]], int | float | list)
                for dimensions in directive["Dimensions"]:
                    assert all(_json(line)[name] for name in dimensions)
                    yield metric["Name"], tuple(dimensions), metric["Unit"]


def _json(line: str) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def test_whole_runs_emit_every_metric_of_the_contract_and_no_other(emitted: set[Emitted]) -> None:
    assert emitted == {(it.name, it.dimensions, it.unit.value) for it in ALL}


def test_every_metric_of_ours_on_the_dashboard_was_emitted_with_these_dimensions(template: Template, emitted: set[Emitted]) -> None:
    assert {it[:2] for it in drawn(template)} == {it[:2] for it in emitted}


def test_every_metric_of_ours_behind_an_alarm_was_emitted_with_these_dimensions(template: Template, emitted: set[Emitted]) -> None:
    plain = {(it["MetricName"], ()) for it in alarms(template).values() if it.get("Namespace") == METRIC_NAMESPACE}
    (queried,) = (it["Metrics"] for it in alarms(template).values() if "Metrics" in it)
    words = queried[0]["Expression"].replace("(", " ").replace(")", " ").replace(",", " ").split()
    grouped = {(words[words.index("SUM") + 1], tuple(words[words.index(f'"{METRIC_NAMESPACE}"') + 1 :]))}
    assert plain | grouped <= {it[:2] for it in emitted}


AWS_METRICS = {
    "AWS/Lambda": {
        "Errors",
        "Throttles",
        "Duration",
        *(f"DurableExecution{it}" for it in ("Started", "Succeeded", "Failed", "TimedOut", "Stopped")),
    },
    "AWS/SQS": {"ApproximateNumberOfMessagesVisible"},
}
"""Those that AWS emits, which no sandbox can: by name as documented.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
"""


def test_every_other_metric_is_one_that_aws_documents(template: Template) -> None:
    lines = [line for widget in widgets(template) for line in widget["properties"].get("metrics", [])]
    others = {(line[0], line[1]) for line in lines if isinstance(line[0], str) and line[0] != METRIC_NAMESPACE}
    assert others == {(namespace, name) for namespace, names in AWS_METRICS.items() for name in names}
