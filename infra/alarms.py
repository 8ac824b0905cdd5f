"""Alarms on ourselves: whoever watches clusters has to be watched. They go to people, never to the checker."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.functions import Functions, logical_id
from infra.metrics import durable_metric, product_metric
from lambdas.contract.environment import Function
from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.contract.metrics import LOGIN_FAILURES, SWEEPS
from lambdas.contract.names import METRIC_NAMESPACE

FIVE_MINUTES: Final = Duration.minutes(5)
SWEEPS_MISSED: Final = 3
"""Sweeps in a row without which something is wrong: one may be late, or be tried again."""

# Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html
_EXECUTIONS: Final = {
    "DurableExecutionFailed": "A repair ended with an error. Its dead letter names the incident.",
    "DurableExecutionTimedOut": "A repair waited longer than all waits allow. Look at its history.",
    "DurableExecutionStopped": "Someone stopped a repair by hand. Its incident is taken over by the next sweep.",
}


class Alarms(Construct):
    """One alarm for each way in which the remediator itself can fail to do its work."""

    def __init__(self, scope: Construct, name: str, *, functions: Functions, undelivered: sqs.IQueue, people: sns.ITopic) -> None:
        super().__init__(scope, name)
        self._action = actions.SnsAction(people)
        for metric, meaning in _EXECUTIONS.items():
            self._alarm(metric.removeprefix("Durable"), durable_metric(functions.by_name[Function.REMEDIATOR], metric), meaning)
        self._of_functions(functions)
        queues = {f"{logical_id(item)}Failures": queue for item, queue in functions.dead_letters.items()}
        self._of_queues({"Undelivered": undelivered, **queues})
        self._of_our_metrics()

    def _of_functions(self, functions: Functions) -> None:
        checker = functions.checker
        self._alarm(
            "CheckerErrors", checker.metric_errors(period=FIVE_MINUTES), "Checks fail. Events are tried again, then kept.", at_least=3
        )
        self._alarm("CheckerThrottles", checker.metric_throttles(period=FIVE_MINUTES), "Checks wait for concurrency.", at_least=10)
        watcher = functions.by_name[Function.NODE_WATCHER]
        self._alarm("NodeWatcherErrors", watcher.metric_errors(period=FIVE_MINUTES), "Audit logs are not read.", at_least=3)

    def _of_queues(self, queues: Mapping[str, sqs.IQueue]) -> None:
        for name, queue in queues.items():
            waiting = queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum")
            self._alarm(name, waiting, "Dead letters wait. docs/deploy.md says how to read and send them again.")

    def _of_our_metrics(self) -> None:
        silence = f"No sweep ended within {SWEEPS_MISSED * SWEEP_RATE_MINUTES} minutes"
        sweep = cloudwatch.Alarm(
            self,
            "SweepNotRunning",
            metric=product_metric(SWEEPS, period=Duration.minutes(SWEEP_RATE_MINUTES)),
            alarm_description=f"{silence}: drift that nobody announces is not found.",
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            threshold=1,
            evaluation_periods=SWEEPS_MISSED,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        self._tell(sweep)
        # One alarm for all clusters: a query, since a metric alarm names one cluster and a SEARCH is not allowed in alarms.
        # Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-alarms.html
        (dimension,) = LOGIN_FAILURES.dimensions
        query = f'SELECT SUM({LOGIN_FAILURES.name}) FROM SCHEMA("{METRIC_NAMESPACE}", {dimension})'  # noqa: S608  # constants
        self._alarm(
            "LoginFailures",
            cloudwatch.MathExpression(expression=query, using_metrics={}, period=FIVE_MINUTES, label=LOGIN_FAILURES.what),
            "A cluster refuses our login. `irsa-remediator access --check` says what is missing.",
        )

    def _alarm(self, name: str, metric: cloudwatch.IMetric, meaning: str, at_least: int = 1) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            alarm_description=meaning,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            threshold=at_least,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        self._tell(alarm)

    def _tell(self, alarm: cloudwatch.Alarm) -> None:
        alarm.add_alarm_action(self._action)
        alarm.add_ok_action(self._action)  # a pager closes what it opened
