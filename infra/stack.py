"""Composes the stacks of a configuration from the constructs of this package."""

from collections.abc import Callable, Mapping
from typing import Any

from aws_cdk import Annotations, CfnOutput, CliCredentialsStackSynthesizer, IReusableStackSynthesizer, Stack, Tags
from aws_cdk import Environment as CdkEnvironment
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.alarms import Alarms
from infra.asset import LAMBDA, compiler
from infra.chat import Chat
from infra.cluster_access import ClusterStack, is_needed
from infra.configuration import Configuration, Environment, Hub
from infra.configuration_checks import cluster_stack_name, followers, served_clusters, stack_name
from infra.dashboard import Dashboard
from infra.event_intake import EventIntake
from infra.functions import Functions, logical_id
from infra.hub import HubStack, send_to_hub
from infra.incidents_table import incidents_table
from infra.regions import support_note, support_warning
from infra.topics import Topics
from lambdas.contract.aws_auth import map_roles
from lambdas.contract.environment import Function
from lambdas.contract.names import PROJECT
from lambdas.contract.version import VERSION


class RemediatorStack(Stack):
    """The resources that an environment (an account and region, or a VPC) needs once."""

    def __init__(
        self, scope: Construct, *, environment: Environment, configuration: Configuration, code: lambda_.Code, **stack: Any
    ) -> None:
        super().__init__(scope, stack_name(environment), description=f"{PROJECT} {VERSION}: repairs the IAM role of the VPC CNI", **stack)
        # CDK emits a redundant DependsOn on each function's role (W3005).
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
            event_publishers=environment.event_publishers,
            customer_key=customer_key,
        )
        Alarms(self, "Alarms", functions=self.functions, undelivered=intake.undelivered, topics=self.topics)
        Dashboard(self, "Overview", functions=self.functions, undelivered=intake.undelivered)
        if configuration.hub:
            send_to_hub(self, configuration.hub, dead_letter_queue=intake.undelivered)
        if environment.notify.slack or environment.notify.teams:
            Chat(
                self,
                "ChatChannel",
                environment=environment,
                topic=self.topics.chat,
                followers=followers(configuration, environment),
            )
        self._outputs(environment)
        self._add_notes(environment)

    def _outputs(self, environment: Environment) -> None:
        checker_log = self.functions.logs[Function.CHECKER].log_group_name
        CfnOutput(self, "CheckerLog", value=checker_log, description="Log group of the checker, for the dashboard of Grafana")
        CfnOutput(self, "ChatTopicArn", value=self.topics.chat.topic_arn, description="For an existing chat configuration")
        CfnOutput(self, "FallbackTopicArn", value=self.topics.fallback.topic_arn, description="Alarms about failed notifications")
        CfnOutput(self, "PeopleTopicArn", value=self.topics.people.topic_arn, description="Subscribe mail, pagers and tickets here")
        for function in (Function.CHECKER, Function.REMEDIATOR):
            CfnOutput(
                self,
                f"{logical_id(function)}RoleArn",
                value=self.functions.roles[function].role_arn,
                description="For access entries created by Terraform or eksctl",
            )
        config_map_clusters = _config_map_clusters(environment)
        if config_map_clusters:
            arns = {function: role.role_arn for function, role in self.functions.roles.items()}
            description = f"For mapRoles of aws-auth in {', '.join(config_map_clusters)}"
            CfnOutput(self, "AwsAuthLines", value=map_roles(arns), description=description[:1024])

    def _add_notes(self, environment: Environment) -> None:
        notes = Annotations.of(self)
        for cluster in _config_map_clusters(environment):
            notes.add_info(
                f"{cluster}: CONFIG_MAP does not support access entries. Add the output AwsAuthLines to its aws-auth, or change its mode."
            )
        if not environment.bound_roles:
            notes.add_info("bound_roles is not set: the remediator restores annotations, but does not write roles into add-on records.")
        if not environment.notify.has_subscriber:
            notes.add_warning_v2(
                "eks-irsa-remediator:subscriber",
                "No one receives notifications or alarms: set notify.mail, notify.https, notify.slack or notify.teams, or subscribe to the "
                "topics of the outputs and acknowledge this warning.",
            )
        elif not (environment.notify.mail or environment.notify.https):
            notes.add_warning_v2(
                "eks-irsa-remediator:alarms",
                "No one receives alarms: chat shows notifications only. Set notify.mail or notify.https, or subscribe to the people and "
                "fallback topics of the outputs and acknowledge this warning.",
            )
        if compiler(LAMBDA) is None:
            notes.add_warning_v2(
                "eks-irsa-remediator:byte-code",
                f"The functions have no byte code, so a cold start takes two to three times as long: Python {LAMBDA.python} was not found. "
                "Install it on this machine and synthesize again.",
            )
        note, warning = support_note(environment.region), support_warning(environment.region)
        if note:
            notes.add_info(note)
        if warning:
            notes.add_warning_v2("eks-irsa-remediator:region", warning)


def _config_map_clusters(environment: Environment) -> list[str]:
    return [cluster.name for cluster in environment.clusters if cluster.authentication_mode == "CONFIG_MAP"]


def add_stacks(
    scope: Construct,
    *,
    configuration: Configuration,
    code: Callable[[], lambda_.Code],
    cdk_environment: Callable[[Environment], CdkEnvironment],
) -> None:
    """Add every stack of the configuration. `cdk_environment` returns the account and region of an environment's stacks.

    `code` returns a new instance for each environment, which CDK requires.
    """
    added = {
        environment.name: _add_environment(
            scope,
            environment=environment,
            configuration=configuration,
            code=code(),
            env=cdk_environment(environment),
            synthesizer=_synthesizer(configuration),
        )
        for environment in configuration.environments
    }
    if configuration.hub:
        _add_hub(scope, configuration.hub, configuration, added)
    for home in configuration.environments:
        for follower in followers(configuration, home):
            added[home.name].add_stack_dependency(added[follower.name], reason="the chat channel refers to the topic of the follower")


def _add_hub(scope: Construct, hub: Hub, configuration: Configuration, added: Mapping[str, Stack]) -> None:
    accounts = {environment.account for environment in configuration.environments if environment.account}
    stack = HubStack(
        scope,
        hub=hub,
        accounts=tuple(sorted({hub.account, *accounts})),
        env=CdkEnvironment(account=hub.account, region=hub.region),
        synthesizer=_synthesizer(configuration),
    )
    for environment in added.values():
        environment.add_stack_dependency(stack, reason="the stack sends its events to the bus of the central view")


def _synthesizer(configuration: Configuration) -> IReusableStackSynthesizer | None:
    """Return the synthesizer for StackSets, whose packages are in a bucket of your own; None for CDK's default.

    Source: https://docs.aws.amazon.com/cdk/v2/guide/configure-synth.html
    """
    bucket = configuration.assets_bucket
    return CliCredentialsStackSynthesizer(file_assets_bucket_name=bucket) if bucket else None


def _add_environment(
    scope: Construct, *, environment: Environment, configuration: Configuration, code: lambda_.Code, **stack: Any
) -> RemediatorStack:
    main = RemediatorStack(scope, environment=environment, configuration=configuration, code=code, **stack)
    clusters = [
        ClusterStack(
            scope,
            cluster_stack_name(environment, cluster.name),
            cluster=cluster,
            functions=main.functions,
            **stack | {"synthesizer": _synthesizer(configuration)},  # each stack needs an instance of its own
        )
        for cluster in environment.clusters
        if is_needed(cluster)
    ]
    for created in (main, *clusters):
        for name, value in environment.tags:
            Tags.of(created).add(name, value)
        if environment.permissions_boundary:
            boundary = iam.ManagedPolicy.from_managed_policy_arn(created, "Boundary", environment.permissions_boundary)
            iam.PermissionsBoundary.of(created).apply(boundary)
    return main
