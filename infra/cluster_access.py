"""The stack of one cluster: access entries, the alarm on its nodes and the audit log subscription."""

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_eks as eks
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.configuration import Cluster
from infra.functions import Functions, logical_id
from lambdas.contract.access import GROUPS
from lambdas.contract.audit import FILTER_PATTERN, log_group
from lambdas.contract.environment import Function
from lambdas.contract.names import ALARM_PREFIX


def is_needed(cluster: Cluster) -> bool:
    """Return whether the cluster needs a stack. CloudFormation rejects a stack without resources."""
    return cluster.takes_entries or bool(cluster.container_insights) or cluster.audit_log


class ClusterStack(Stack):
    """Resources of one cluster. A stack for each cluster keeps one failure from rolling back the others.

    `irsa-remediator access --apply` creates the Kubernetes RBAC objects.
    """

    def __init__(self, scope: Construct, name: str, *, cluster: Cluster, functions: Functions, **stack: Any) -> None:
        super().__init__(scope, name, description=f"eks-irsa-remediator: access to the EKS cluster {cluster.name}", **stack)
        if cluster.takes_entries:
            self._access_entries(cluster, functions)
        if cluster.container_insights:
            self._node_alarm(cluster)
        if cluster.audit_log:
            self._audit_subscription(cluster, functions.by_name[Function.NODE_WATCHER])

    def _access_entries(self, cluster: Cluster, functions: Functions) -> None:
        for function, group in GROUPS.items():
            # L1, since the L2 construct has no groups. The EKS access policies allow more than needed.
            eks.CfnAccessEntry(
                self,
                f"{logical_id(function)}Entry",
                cluster_name=cluster.name,
                principal_arn=functions.roles[function].role_arn,
                kubernetes_groups=[group],
                type="STANDARD",
            )

    def _node_alarm(self, cluster: Cluster) -> None:
        # No action: an EventBridge rule matches its state changes by name.
        cloudwatch.Alarm(
            self,
            "FailedNodes",
            alarm_name=f"{ALARM_PREFIX}{cluster.name}",
            alarm_description=f"Nodes of {cluster.name} failed. The remediator checks whether the VPC CNI lost its role.",
            metric=cloudwatch.Metric(
                namespace="ContainerInsights",
                metric_name="cluster_failed_node_count",
                dimensions_map={"ClusterName": cluster.name},
                statistic="Maximum",
                period=Duration.minutes(1),
            ),
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.MISSING,
        )

    def _audit_subscription(self, cluster: Cluster, watcher: lambda_.IFunction) -> None:
        group = log_group(cluster.name)
        allowed = lambda_.CfnPermission(
            self,
            "LogsMayInvoke",
            action="lambda:InvokeFunction",
            function_name=watcher.function_arn,
            principal="logs.amazonaws.com",
            source_account=self.account,
            source_arn=f"arn:{self.partition}:logs:{self.region}:{self.account}:log-group:{group}:*",
        )
        subscription = logs.CfnSubscriptionFilter(
            self, "AuditLog", log_group_name=group, filter_pattern=FILTER_PATTERN, destination_arn=watcher.function_arn
        )
        subscription.add_resource_dependency(allowed)  # CloudWatch Logs invokes the function when it creates the filter
