"""Metrics in CloudWatch's embedded metric format: log lines that CloudWatch reads as metrics, so no call is made.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from lambdas.adapters.log import emit
from lambdas.contract.names import METRIC_NAMESPACE

if TYPE_CHECKING:
    from lambdas.contract.metrics import Metric


def count(metric: Metric, value: float = 1, **dimensions: str) -> None:
    """Add a value to a metric.

    Raises:
        ValueError: the dimensions are not those that the metric declares; a dashboard would never show it.
    """
    if set(dimensions) != set(metric.dimensions):
        raise ValueError(f"metric {metric.name} has the dimensions {metric.dimensions}, not {tuple(dimensions)}")
    directive: dict[str, Any] = {
        "Namespace": METRIC_NAMESPACE,
        "Dimensions": [list(metric.dimensions)],
        "Metrics": [{"Name": metric.name, "Unit": metric.unit}],
    }
    about = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    emit({"_aws": about, **dimensions, metric.name: value})
