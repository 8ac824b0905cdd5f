"""CloudWatch metrics as CDK wants them: ours from the contract, the durable ones that CDK does not know."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from lambdas.contract.metrics import Metric, Unit
from lambdas.contract.names import METRIC_NAMESPACE

STATISTIC = {Unit.COUNT: "Sum", Unit.SECONDS: "Maximum"}


def product_metric(metric: Metric, *, period: Duration, statistic: str | None = None) -> cloudwatch.Metric:
    """A metric of ours without dimensions; counts are summed, times show their worst."""
    if metric.dimensions:
        raise ValueError(f"{metric.name} has the dimensions {metric.dimensions}: use `each`")
    return cloudwatch.Metric(
        namespace=METRIC_NAMESPACE, metric_name=metric.name, statistic=statistic or STATISTIC[metric.unit], period=period
    )


def metric_by_dimension(metric: Metric, *, period: Duration) -> cloudwatch.MathExpression:
    """One line for each value of a metric's dimensions, whatever values there are."""
    schema = ",".join((METRIC_NAMESPACE, *metric.dimensions))
    search = f"SEARCH('{{{schema}}} MetricName=\"{metric.name}\"', '{STATISTIC[metric.unit]}', {period.to_seconds():.0f})"
    return cloudwatch.MathExpression(expression=search, using_metrics={}, period=period, label="")


def durable_metric(function: lambda_.IFunction, name: str) -> cloudwatch.Metric:
    """A metric of durable executions.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html
    """
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=name,
        dimensions_map={"FunctionName": function.function_name},
        statistic="Sum",
        period=Duration.minutes(5),
    )
