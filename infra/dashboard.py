"""CloudWatch dashboard: drift, repairs and their duration, and the health of the remediator itself."""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.functions import Functions
from infra.metrics import durable_metric, metric_by_dimension, product_metric
from lambdas.contract.environment import Function
from lambdas.contract.metrics import (
    CHECKS,
    DRIFT,
    LOGIN_FAILURES,
    MALFORMED_EVENTS,
    NOTIFICATION_FAILURES,
    REPAIRS,
    SWEEPS,
    TIME_TO_RECOVER,
    UNBOUND,
    VERDICTS,
    Metric,
)
from lambdas.contract.names import PROJECT, RUNBOOK_ROOT

_PERIOD: Final = Duration.minutes(5)
_WIDTH: Final = 8  # three in a row of 24
_HEIGHT: Final = 6

_ABOUT: Final = f"""# {PROJECT}
**Drift found** counts clusters with a broken role. **Repairs** follows within minutes, or a chat message gives the reason. \
[Runbooks]({RUNBOOK_ROOT}) by verdict. Timeline of incidents: `irsa-remediator history --cluster C`."""


class Dashboard(Construct):
    """Six rows: description, repairs, clusters, and three rows about the remediator itself."""

    def __init__(self, scope: Construct, name: str, *, functions: Functions, undelivered: sqs.IQueue) -> None:
        super().__init__(scope, name)
        queues = [undelivered, *functions.dead_letters.values()]
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            default_interval=Duration.hours(12),
            widgets=[
                [cloudwatch.TextWidget(markdown=_ABOUT, width=24, height=3)],
                [_by_dimension("Repairs, by outcome", REPAIRS), _time_to_recover(), _by_dimension("Drift found, by trigger", DRIFT)],
                [
                    _by_dimension("Verdicts, by cluster", VERDICTS),
                    _by_dimension("Rejected logins, by cluster", LOGIN_FAILURES),
                    _by_dimension("Checks without sweeps, by trigger", CHECKS),
                ],
                [_sweeps(), _executions(functions), _failures(functions)],
                [_dead_letters(queues), _durations(functions), _warnings(functions)],
                [_by_dimension("Notifications that were not sent, by channel", NOTIFICATION_FAILURES)],
            ],
        )


def _graph(title: str, *metrics: cloudwatch.IMetric, stacked: bool = False) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=_WIDTH, height=_HEIGHT, stacked=stacked)


def _by_dimension(title: str, metric: Metric) -> cloudwatch.GraphWidget:
    return _graph(title, metric_by_dimension(metric, period=_PERIOD), stacked=True)


def _time_to_recover() -> cloudwatch.GraphWidget:
    lines = [product_metric(TIME_TO_RECOVER, period=_PERIOD, statistic=statistic) for statistic in ("p50", "p90", "Maximum")]
    return _graph("Time from event to verification (seconds)", *lines)


def _sweeps() -> cloudwatch.GraphWidget:
    return _graph(
        "Sweeps (one every five minutes), clusters without a binding, malformed events",
        product_metric(SWEEPS, period=_PERIOD),
        product_metric(UNBOUND, period=_PERIOD),
        product_metric(MALFORMED_EVENTS, period=_PERIOD),
    )


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
