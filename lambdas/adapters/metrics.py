"""Metrics in CloudWatch's embedded metric format: log lines that CloudWatch reads as metrics, without an API call.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.contract.names import METRIC_NAMESPACE

if TYPE_CHECKING:
    from lambdas.contract.metrics import Metric


def count(metric: Metric, value: float = 1, **dimensions: str) -> None:
    """Add a value to a metric.

    Raises:
        ValueError: the dimensions differ from those that the metric declares, so no dashboard would show the value.
    """
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    if set(dimensions) != set(metric.dimensions):
        raise ValueError(f"metric {metric.name} has the dimensions {metric.dimensions}, not {tuple(dimensions)}")
    with single_metric(name=metric.name, unit=MetricUnit(metric.unit), value=value, namespace=METRIC_NAMESPACE) as metric_line:
        for name in metric.dimensions:
            metric_line.add_dimension(name=name, value=str(dimensions[name]))
