"""Metrics that the functions emit in the embedded metric format, gauges that they log, and the panels that show both."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Unit(StrEnum):
    """The CloudWatch units in use."""

    COUNT = "Count"
    SECONDS = "Seconds"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric with its set of dimensions and its description."""

    name: str
    unit: Unit
    dimensions: tuple[str, ...]
    what: str

    @property
    def statistic(self) -> str:
        """The CloudWatch statistic: the sum of counts, the maximum of durations."""
        return "Sum" if self.unit is Unit.COUNT else "Maximum"


CHECKS: Final = Metric(name="Checks", unit=Unit.COUNT, dimensions=("trigger",), what="checks by trigger, except those of sweeps")
DRIFT: Final = Metric(name="DriftFound", unit=Unit.COUNT, dimensions=("trigger",), what="checks that found a fault, by trigger")
VERDICTS: Final = Metric(name="Verdicts", unit=Unit.COUNT, dimensions=("cluster", "verdict"), what="verdict of each finished incident")
REPAIRS: Final = Metric(name="Repairs", unit=Unit.COUNT, dimensions=("outcome",), what="incidents closed, by outcome")
TIME_TO_RECOVER: Final = Metric(name="TimeToRecover", unit=Unit.SECONDS, dimensions=(), what="time from the event to the verification")
LOGIN_FAILURES: Final = Metric(name="LoginFailures", unit=Unit.COUNT, dimensions=("cluster",), what="clusters that refused our login")
SWEEPS: Final = Metric(name="Sweeps", unit=Unit.COUNT, dimensions=(), what="completed sweeps")
UNBOUND: Final = Metric(
    name="ClustersWithoutBinding", unit=Unit.COUNT, dimensions=(), what="clusters without a binding that a sweep found; zero is not emitted"
)

MALFORMED_EVENTS: Final = Metric(
    name="MalformedEvents", unit=Unit.COUNT, dimensions=(), what="events without a valid body, which start no check; zero is not emitted"
)
NOTIFICATION_FAILURES: Final = Metric(
    name="NotificationFailures",
    unit=Unit.COUNT,
    dimensions=("channel",),
    what="notifications and events that were not sent, by channel: topics or bus; zero is not emitted",
)


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """A state at one time, as a field of a line in the checker's log. As metrics, the gauges would cost more than all else that is kept.

    Source: https://aws.amazon.com/cloudwatch/pricing/ (a custom metric costs 0.30 USD for each month with data in every hour)
    """

    field: str
    title: str
    what: str


GAUGES: Final = (
    Gauge(field="clustersBroken", title="Clusters broken", what="bound clusters with an open incident"),
    Gauge(field="clustersUnknown", title="Clusters unknown", what="bound clusters without an incident that no recent check found sound"),
    Gauge(field="clustersSound", title="Clusters sound", what="bound clusters that a recent check found sound"),
    Gauge(field="incidentsOpen", title="Incidents open", what="open incidents"),
)
"""The states of the fleet that each sweep logs in one line, in the order of the first row of each dashboard."""


def latest_gauges(*gauges: Gauge) -> tuple[str, ...]:
    """The lines of a Logs Insights query for the values of the latest sweep.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
    """
    fields = [gauge.field for gauge in gauges]
    return f"filter ispresent({fields[0]})", f"fields {', '.join(fields)}", "sort @timestamp desc", "limit 1"


def gauges_over_time() -> tuple[str, ...]:
    """The lines of a Logs Insights query for the values of each sweep."""
    stats = ", ".join(f"max({gauge.field}) as {gauge.field}" for gauge in GAUGES)
    return f"filter ispresent({GAUGES[0].field})", f"stats {stats} by bin(5m)"


ALL: Final = (
    CHECKS,
    DRIFT,
    VERDICTS,
    REPAIRS,
    TIME_TO_RECOVER,
    LOGIN_FAILURES,
    SWEEPS,
    UNBOUND,
    MALFORMED_EVENTS,
    NOTIFICATION_FAILURES,
)


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One graph of a dashboard: a title and its metrics. `statistics` replace the statistic of the metric."""

    title: str
    metrics: tuple[Metric, ...]
    statistics: tuple[str, ...] = ()


PANELS: Final = (
    Panel(title="Repairs, by outcome", metrics=(REPAIRS,)),
    Panel(title="Time from event to verification (seconds)", metrics=(TIME_TO_RECOVER,), statistics=("p50", "p90", "Maximum")),
    Panel(title="Drift found, by trigger", metrics=(DRIFT,)),
    Panel(title="Verdicts, by cluster", metrics=(VERDICTS,)),
    Panel(title="Rejected logins, by cluster", metrics=(LOGIN_FAILURES,)),
    Panel(title="Checks without sweeps, by trigger", metrics=(CHECKS,)),
    Panel(
        title="Sweeps (one every five minutes), clusters without a binding, malformed events", metrics=(SWEEPS, UNBOUND, MALFORMED_EVENTS)
    ),
    Panel(title="Notifications that were not sent, by channel", metrics=(NOTIFICATION_FAILURES,)),
)
"""The graphs of the product's metrics, in the dashboard of CloudWatch and in that of Grafana."""


def search_expression(namespace: str, metric: Metric, period_s: int) -> str:
    """The expression with one line for each value of the metric's dimensions.

    Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-search-expressions.html
    """
    schema = ",".join((namespace, *metric.dimensions))
    return f"SEARCH('{{{schema}}} MetricName=\"{metric.name}\"', '{metric.statistic}', {period_s})"
