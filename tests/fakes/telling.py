"""Metrics and log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lambdas.contract.metrics import Metric


class FakeMetrics:
    """Metrics. `counted` are `(name, value, dimensions)` in order."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, float, dict[str, str]]] = []

    def __call__(self, metric: Metric, value: float = 1, **dimensions: str) -> None:
        assert set(dimensions) == set(metric.dimensions), f"{metric.name} has the dimensions {metric.dimensions}"
        self.counted.append((metric.name, value, dimensions))


class FakeLog:
    """The log. `lines` are `(title, message, fields)` in order."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def __call__(self, title: str, message: str, **fields: Any) -> None:
        self.lines.append((str(title), message, fields))
