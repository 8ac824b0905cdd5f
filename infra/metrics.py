"""CDK metrics: those of the contract, and those of durable functions, which CDK does not define."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from lambdas.contract.metrics import Metric, search_expression
from lambdas.contract.names import METRIC_NAMESPACE


def product_metric(metric: Metric, *, period: Duration, statistic: str | None = None) -> cloudwatch.Metric:
    """Return a metric of the contract without dimensions, by default with its own statistic."""
    if metric.dimensions:
        raise ValueError(f"{metric.name} has the dimensions {metric.dimensions}: use `metric_by_dimension`")
    return cloudwatch.Metric(namespace=METRIC_NAMESPACE, metric_name=metric.name, statistic=statistic or metric.statistic, period=period)


def metric_by_dimension(metric: Metric, *, period: Duration) -> cloudwatch.MathExpression:
    """Return an expression with one line for each value of the metric's dimensions."""
    search = search_expression(METRIC_NAMESPACE, metric, round(period.to_seconds()))
    return cloudwatch.MathExpression(expression=search, using_metrics={}, period=period, label="")


def durable_metric(function: lambda_.IFunction, name: str) -> cloudwatch.Metric:
    """Return a metric of durable executions.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html
    """
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=name,
        dimensions_map={"FunctionName": function.function_name},
        statistic="Sum",
        period=Duration.minutes(5),
    )
