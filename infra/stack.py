"""Wires the constructs of one environment; owns no resource itself."""

from collections.abc import Callable
from typing import Any

from aws_cdk import Annotations, CfnOutput, Stack, Tags
from aws_cdk import Environment as CdkEnvironment
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.alarms import Alarms
from infra.aws_auth import lines
from infra.chat import Chat
from infra.cluster_access import ClusterStack, is_needed
from infra.configuration import Configuration, Environment
from infra.configuration_checks import cluster_stack_name, followers, served_clusters, stack_name
from infra.dashboard import Dashboard
from infra.event_intake import EventIntake
from infra.functions import Functions, logical_id
from infra.incidents_table import incidents_table
from infra.regions import support_warning
from infra.topics import Topics
from lambdas.contract.environment import Function
from lambdas.contract.names import PROJECT
from lambdas.contract.version import VERSION


class RemediatorStack(Stack):
    """Everything that one account and region, or one VPC of it, needs once."""

    def __init__(
        self, scope: Construct, *, environment: Environment, configuration: Configuration, code: lambda_.Code, **stack: Any
    ) -> None:
        super().__init__(
            scope, stack_name(environment), description=f"{PROJECT} {VERSION}: keeps the IAM role of the VPC CNI where it belongs", **stack
        )
        # CDK says twice that a function needs its role; the linter is told to read over it.
        self.template_options.metadata = {"cfn-lint": {"config": {"ignore_checks": ["W3005"]}}}
        customer_key = kms.Key.from_key_arn(self, "CustomerKey", environment.key) if environment.key else None
        self.table = incidents_table(self, customer_key)
        self.topics = Topics(self, "Topics", environment=environment, customer_key=customer_key)
        self.functions = Functions(
            self,
            "Functions",
            environment=environment,
            code=code,
            table=self.table,
            topics=self.topics,
            customer_key=customer_key,
            served_clusters=served_clusters(configuration, environment),
        )
        intake = EventIntake(
            self,
            "Intake",
            checker=self.functions.checker,
            our_role_arns=self.functions.role_arns,
            digest_at=environment.notify.digest_at,
            customer_key=customer_key,
        )
        Alarms(self, "Alarms", functions=self.functions, undelivered=intake.undelivered, people=self.topics.people)
        Dashboard(self, "Overview", functions=self.functions, undelivered=intake.undelivered)
        if environment.notify.slack or environment.notify.teams:
            Chat(self, "ChatChannel", environment=environment, followers=followers(configuration, environment))
        self._outputs(environment)
        self._say_before_deployment(environment)

    def _outputs(self, environment: Environment) -> None:
        CfnOutput(self, "ChatTopicArn", value=self.topics.chat.topic_arn, description="For a chat configuration that you have already")
        CfnOutput(self, "PeopleTopicArn", value=self.topics.people.topic_arn, description="Subscribe mail, pagers and tickets here")
        for function in (Function.CHECKER, Function.REMEDIATOR):
            CfnOutput(
                self,
                f"{logical_id(function)}RoleArn",
                value=self.functions.roles[function].role_arn,
                description="For access entries that Terraform or eksctl makes",
            )
        old = _without_entries(environment)
        if old:
            CfnOutput(
                self, "AwsAuthLines", value=lines(self.functions.roles), description=f"For mapRoles of aws-auth in {', '.join(old)}"[:1024]
            )

    def _say_before_deployment(self, environment: Environment) -> None:
        notes = Annotations.of(self)
        for cluster in _without_entries(environment):
            notes.add_info(
                f"{cluster}: CONFIG_MAP takes no access entries; add the output AwsAuthLines to its aws-auth, or switch its mode."
            )
        if not environment.bound_roles:
            notes.add_info(
                "bound_roles is not set: a lost annotation is put back, but no role is written into an add-on record, where it would last."
            )
        doubtful = support_warning(environment.region)
        if doubtful:
            notes.add_warning_v2("eks-irsa-remediator:region", doubtful)


def _without_entries(environment: Environment) -> list[str]:
    return [cluster.name for cluster in environment.clusters if cluster.authentication_mode == "CONFIG_MAP"]


def add_stacks(
    scope: Construct, *, configuration: Configuration, code: Callable[[], lambda_.Code], cdk_environment: Callable[[Environment], CdkEnvironment]
) -> None:
    """Every stack of the configuration; `place` says where an environment's go, `code` gives each its own instance, as CDK demands."""
    added = {
        environment.name: _add_environment(scope, environment=environment, configuration=configuration, code=code(), env=cdk_environment(environment))
        for environment in configuration.environments
    }
    for home in configuration.environments:
        for follower in followers(configuration, home):
            added[home.name].add_stack_dependency(added[follower.name], reason="a chat channel lists topics that exist")


def _add_environment(
    scope: Construct, *, environment: Environment, configuration: Configuration, code: lambda_.Code, **stack: Any
) -> RemediatorStack:
    main = RemediatorStack(scope, environment=environment, configuration=configuration, code=code, **stack)
    clusters = [
        ClusterStack(scope, cluster_stack_name(environment, cluster.name), cluster=cluster, functions=main.functions, **stack)
        for cluster in environment.clusters
        if is_needed(cluster)
    ]
    for made in (main, *clusters):
        for name, value in environment.tags:
            Tags.of(made).add(name, value)
        if environment.permissions_boundary:
            boundary = iam.ManagedPolicy.from_managed_policy_arn(made, "Boundary", environment.permissions_boundary)
            iam.PermissionsBoundary.of(made).apply(boundary)
    return main
