"""Alarms on the remediator itself. They notify the people topic, or the fallback topic about it, and never start a check."""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.functions import Functions, logical_id
from infra.metrics import product_metric
from infra.topics import Topics
from lambdas.contract.events import SWEEP_RATE_MINUTES
from lambdas.contract.metrics import NOTIFICATION_FAILURES, SWEEPS, Metric
from lambdas.contract.names import METRIC_NAMESPACE

FIVE_MINUTES: Final = Duration.minutes(5)
SWEEPS_MISSED: Final = 3
"""Number of consecutive missing sweeps that raise the alarm. One sweep may be late or retried."""

WARM_UP_MINUTES: Final = 2 * SWEEPS_MISSED * SWEEP_RATE_MINUTES
"""Time in which the first sweeps must have ended after a deployment: the stack's own creation takes some of it.

Until then the alarm does nothing, unless enough sweeps have ended before.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-warm-up.html
"""


class Alarms(Construct):
    """One alarm for each failure mode of the remediator itself.

    Each metric of an alarm is paid for, so there is none where something else reports the same. An event whose three attempts fail ends in
    the dead-letter queue of its function, as does a repair that fails, exceeds its time-out or is stopped. A cluster that rejects the login
    opens an incident, whose messages name the cluster and the next step. The dashboard shows all these metrics.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html#durable-error-handling-best-practices
    """

    def __init__(self, scope: Construct, name: str, *, functions: Functions, undelivered: sqs.IQueue, topics: Topics) -> None:
        super().__init__(scope, name)
        self._action = actions.SnsAction(topics.people)
        throttles = functions.checker.metric_throttles(period=FIVE_MINUTES)
        self._alarm("CheckerThrottles", throttles, "Checks are throttled.", at_least=10)
        queues = {f"{logical_id(function)}Failures": queue for function, queue in functions.dead_letters.items()}
        self._queue_alarms({"Undelivered": undelivered, **queues})
        self._metric_alarms()
        self._notification_alarms(topics)

    def _queue_alarms(self, queues: Mapping[str, sqs.IQueue]) -> None:
        for name, queue in queues.items():
            waiting = queue.metric_approximate_number_of_messages_visible(period=FIVE_MINUTES, statistic="Maximum")
            self._alarm(name, waiting, "The dead-letter queue holds messages. docs/deploy.md shows how to read and resend them.")

    def _metric_alarms(self) -> None:
        description = f"No sweep ended within {SWEEPS_MISSED * SWEEP_RATE_MINUTES} minutes"
        sweep = cloudwatch.Alarm(
            self,
            "SweepNotRunning",
            metric=product_metric(SWEEPS, period=Duration.minutes(SWEEP_RATE_MINUTES)),
            alarm_description=f"{description}. Drift without an event is not detected.",
            comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            threshold=1,
            evaluation_periods=SWEEPS_MISSED,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        resource = sweep.node.default_child
        assert isinstance(resource, cloudwatch.CfnAlarm)  # noqa: S101  # for the type checker
        resource.warm_up_configuration = cloudwatch.CfnAlarm.WarmUpConfigurationProperty(warm_up_period_duration_in_minutes=WARM_UP_MINUTES)
        self._notify(sweep)

    def _notification_alarms(self, topics: Topics) -> None:
        """Alarms that must not use the topics which they are about."""
        fallback = actions.SnsAction(topics.fallback)
        self._alarm(
            "NotificationFailures",
            _sum_of(NOTIFICATION_FAILURES),
            "Notifications are not sent. The warnings on the dashboard name the cause, such as a disabled key.",
            action=fallback,
        )
        failed = topics.people.metric_number_of_notifications_failed(period=FIVE_MINUTES, statistic="Sum")
        self._alarm("UndeliveredMessages", failed, "SNS cannot deliver messages to a subscriber of the people topic.", action=fallback)

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        meaning: str,
        at_least: int = 1,
        action: cloudwatch.IAlarmAction | None = None,
    ) -> None:
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
        self._notify(alarm, action)

    def _notify(self, alarm: cloudwatch.Alarm, action: cloudwatch.IAlarmAction | None = None) -> None:
        alarm.add_alarm_action(action or self._action)
        alarm.add_ok_action(action or self._action)  # closes the page in a pager


def _sum_of(metric: Metric) -> cloudwatch.MathExpression:
    """The sum over all values of the metric's only dimension.

    A query is needed, since a metric alarm names one value, and alarms do not allow SEARCH.
    The dimension is quoted, since CLUSTER is a reserved word.
    Sources: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-alarms.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-reserved-keywords.html
    """
    (dimension,) = metric.dimensions
    query = f'SELECT SUM({metric.name}) FROM SCHEMA("{METRIC_NAMESPACE}", "{dimension}")'  # noqa: S608  # constants
    return cloudwatch.MathExpression(expression=query, using_metrics={}, period=FIVE_MINUTES, label=metric.what)
