"""CloudWatch dashboard: drift, repairs and their duration, and the health of the remediator itself."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.functions import Functions
from infra.metrics import durable_metric, metric_by_dimension, product_metric
from lambdas.contract.environment import Function
from lambdas.contract.metrics import GAUGES, PANELS, Panel, gauges_over_time, latest_gauges
from lambdas.contract.names import PROJECT, RUNBOOK_ROOT

_PERIOD: Final = Duration.minutes(5)
_ROW: Final = 24
_IN_A_ROW: Final = 3
_WIDTH: Final = _ROW // _IN_A_ROW
_HEIGHT: Final = 6
_STATES_HEIGHT: Final = 4

_ABOUT: Final = f"""# {PROJECT}
The first row is the result of the latest sweep over the clusters with a binding. \
**Drift found** counts clusters with a broken role. **Repairs** follows within minutes, or a chat message gives the reason. \
[Runbooks]({RUNBOOK_ROOT}) by verdict. Timeline of incidents: `irsa-remediator history --cluster C`."""


class Dashboard(Construct):
    """Gauges of the latest sweep first, then a description, the product's metrics, and the health of the remediator itself."""

    def __init__(self, scope: Construct, name: str, *, functions: Functions, undelivered: sqs.IQueue) -> None:
        super().__init__(scope, name)
        queues = [undelivered, *functions.dead_letters.values()]
        panels = [_panel(panel) for panel in PANELS]
        own = [_executions(functions), _failures(functions), _dead_letters(queues), _durations(functions), _warnings(functions)]
        graphs: list[cloudwatch.IWidget] = [*panels, *own]
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.hours(12),
            widgets=[
                _states(functions.logs[Function.CHECKER].log_group_name),
                [cloudwatch.TextWidget(markdown=_ABOUT, width=24, height=3)],
                *(graphs[start : start + _IN_A_ROW] for start in range(0, len(graphs), _IN_A_ROW)),
            ],
        )


def _states(log: str) -> list[cloudwatch.IWidget]:
    """The states of the fleet: at the latest sweep, and over time. A query costs by the data that it reads, which is little here."""
    title = f"Latest sweep: {', '.join(gauge.title.lower() for gauge in GAUGES)}"
    half, logs = _ROW // 2, [log]
    return [
        cloudwatch.LogQueryWidget(
            title=title, log_group_names=logs, query_lines=list(latest_gauges(*GAUGES)), width=half, height=_STATES_HEIGHT
        ),
        cloudwatch.LogQueryWidget(
            title="States of the clusters",
            log_group_names=logs,
            query_lines=list(gauges_over_time()),
            view=cloudwatch.LogQueryVisualizationType.LINE,
            width=half,
            height=_STATES_HEIGHT,
        ),
    ]


def _graph(title: str, *metrics: cloudwatch.IMetric, stacked: bool = False) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_WIDTH, height=_HEIGHT, stacked=stacked)


def _panel(panel: Panel) -> cloudwatch.GraphWidget:
    searched = [metric_by_dimension(metric, period=_PERIOD) for metric in panel.metrics if metric.dimensions]
    plain = [
        product_metric(metric, period=_PERIOD, statistic=statistic)
        for metric in panel.metrics
        if not metric.dimensions
        for statistic in panel.statistics or (metric.statistic,)
    ]
    return _graph(panel.title, *searched, *plain, stacked=bool(searched))


def _executions(functions: Functions) -> cloudwatch.GraphWidget:
    remediator = functions.by_name[Function.REMEDIATOR]
    states = ("Started", "Succeeded", "Failed", "TimedOut", "Stopped")
    return _graph("Durable executions of the remediator", *(durable_metric(remediator, f"DurableExecution{state}") for state in states))


def _failures(functions: Functions) -> cloudwatch.GraphWidget:
    by_name = functions.by_name.items()
    errors = [function.metric_errors(period=_PERIOD, label=f"{name} errors") for name, function in by_name]
    throttles = [function.metric_throttles(period=_PERIOD, label=f"{name} throttles") for name, function in by_name]
    return _graph("Errors and throttles of the functions", *errors, *throttles)


def _dead_letters(queues: list[sqs.IQueue]) -> cloudwatch.GraphWidget:
    depths = [queue.metric_approximate_number_of_messages_visible(period=_PERIOD, label=queue.node.id) for queue in queues]
    return _graph("Messages in dead-letter queues", *depths)


def _durations(functions: Functions) -> cloudwatch.GraphWidget:
    p99 = [function.metric_duration(period=_PERIOD, statistic="p99", label=f"{name} p99") for name, function in functions.by_name.items()]
    return _graph("Duration of invocations (milliseconds)", *p99)


def _warnings(functions: Functions) -> cloudwatch.LogQueryWidget:
    return cloudwatch.LogQueryWidget(
        title="Latest warnings and errors",
        log_group_names=[log.log_group_name for log in functions.logs.values()],
        query_lines=[
            "fields @timestamp, level, message",
            "filter level in ['WARNING', 'WARN', 'ERROR']",
            "sort @timestamp desc",
            "limit 20",
        ],
        width=_WIDTH,
        height=_HEIGHT,
    )
