"""The three functions with their roles, logs and dead-letter queues."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Final

from aws_cdk import Annotations, Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import arns
from infra.asset import LAMBDAS, build
from infra.configuration import LOG_DAYS, Environment, Network
from infra.dead_letter_queue import dead_letter_queue
from infra.permissions import distribute, document, statements, wildcards
from infra.security_rules import accept, accept_wildcards
from infra.topics import Topics
from lambdas.contract import environment as contract_environment
from lambdas.contract.access import CUSTOMER_KEY, EVENT_HISTORY, NETWORK, SIMULATION, Target
from lambdas.contract.durable_quotas import EXECUTION_TIMEOUT_S
from lambdas.contract.environment import Function
from lambdas.contract.memory import MEMORY_MIB
from lambdas.contract.names import PROJECT
from lambdas.contract.timeouts import TIMEOUT_S

EXECUTION_TIMEOUT: Final = Duration.seconds(EXECUTION_TIMEOUT_S)
"""Longer than all waits together: approval and maintenance window (7 days each), two updates and two verifications (6 hours each)."""

HISTORY_RETENTION: Final = Duration.days(30)

_RETENTION: Final = dict(zip(LOG_DAYS, logs.RetentionDays, strict=False))  # both ascend; CDK's list ends with INFINITE


DESCRIPTIONS: Final[Mapping[Function, str]] = {
    Function.CHECKER: "event to plan; writes only incident rows",
    Function.REMEDIATOR: "plan to verification, as a durable execution",
    Function.NODE_WATCHER: "audit log to events",
}


class Functions(Construct):
    """Checker, remediator and node watcher, built from one asset."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        code: lambda_.Code,
        table: dynamodb.ITable,
        topics: Topics,
        customer_key: kms.IKey | None,
        served_clusters: Sequence[str],
    ) -> None:
        super().__init__(scope, name)
        self._environment = environment
        self._customer_key = customer_key
        self._served = served_clusters
        self._code = code
        self.logs = {function: self._log_group(function, customer_key) for function in Function}
        self.dead_letters = {function: dead_letter_queue(self, f"{logical_id(function)}Failures", customer_key) for function in Function}
        shared = arns.target_arns(Stack.of(self), environment, table=table, topics=topics)
        self.roles = {function: self._role(function, shared, self.logs[function], self.dead_letters[function]) for function in Function}
        variables = self._variables(table, topics)
        self.by_name = {function: self._function(function, variables, self.logs[function]) for function in Function}
        self.checker.configure_async_invoke(retry_attempts=2, max_event_age=Duration.hours(6))
        lambda_.Alias(self, "Live", alias_name=arns.ALIAS, version=self.by_name[Function.REMEDIATOR].current_version)

    @property
    def checker(self) -> lambda_.Function:
        """The checker, which is the target of every rule."""
        return self.by_name[Function.CHECKER]

    @property
    def role_arns(self) -> list[str]:
        """ARNs of the functions' roles. The rules ignore calls by these roles, so the remediator does not trigger itself."""
        return [role.role_arn for role in self.roles.values()]

    def _log_group(self, function: Function, customer_key: kms.IKey | None) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            f"{logical_id(function)}Log",
            retention=_RETENTION[self._environment.log_retention_days],
            encryption_key=customer_key,
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _role(self, function: Function, shared: Mapping[Target, Sequence[str]], log: logs.LogGroup, failures: sqs.Queue) -> iam.Role:
        targets = {**shared, Target.LOGS: [log.log_group_arn], Target.DEAD_LETTERS: [failures.queue_arn]}
        optional = self._optional()
        inline, managed = distribute(statements(function, targets, optional, Stack.of(self).region), Stack.of(self))
        role = iam.Role(
            self,
            f"{logical_id(function)}Role",
            description=f"{PROJECT}: {DESCRIPTIONS[function]}",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"Contract": document(inline)},
        )
        for number, statement in enumerate(managed, start=1):
            role.add_managed_policy(iam.ManagedPolicy(role, f"Contract{number}", document=document([statement])))
        accept_wildcards(role, wildcards(function, targets, optional))
        return role

    def _optional(self) -> frozenset[str]:
        enabled = {
            SIMULATION: self._environment.simulation,
            EVENT_HISTORY: self._environment.event_history,
            NETWORK: self._environment.network,
            CUSTOMER_KEY: self._environment.key,
        }
        return frozenset(name for name, value in enabled.items() if value)

    def _function(self, function: Function, variables: Mapping[str, str], log: logs.LogGroup) -> lambda_.Function:
        durable = function is Function.REMEDIATOR
        resource = lambda_.Function(
            self,
            logical_id(function),
            function_name=self._name(function),
            description=DESCRIPTIONS[function],
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=function.handler,
            code=self._code,
            memory_size=MEMORY_MIB[function],
            timeout=Duration.seconds(TIMEOUT_S[function]),
            environment={**contract_environment.ALLOCATOR, **variables},
            # The contract already has the statements that CDK would add.
            role=self.roles[function].without_policy_updates(),
            log_group=log,
            logging_format=lambda_.LoggingFormat.JSON,
            system_log_level_v2=lambda_.SystemLogLevel.WARN,
            application_log_level_v2=lambda_.ApplicationLogLevel.INFO,
            tracing=lambda_.Tracing.ACTIVE,
            dead_letter_queue=self.dead_letters[function],
            environment_encryption=self._customer_key,
            reserved_concurrent_executions=dict(self._environment.concurrency).get(function),
            durable_config=lambda_.DurableConfig(execution_timeout=EXECUTION_TIMEOUT, retention_period=HISTORY_RETENTION)
            if durable
            else None,
            # Waiting executions keep their version for days. `docs/deploy.md` shows how to remove old versions.
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
        )
        if self._environment.network is not None:
            _attach_to_vpc(resource, self._environment.network)
        if durable and self._customer_key is not None:
            # The L2 construct has no such property.
            _child(resource).add_property_override("DurableConfig.KMSKeyArn", self._customer_key.key_arn)
        if durable:
            Annotations.of(resource).acknowledge_info(
                "aws-lambda:Function.DurableConfig", "The function is durable since its first version"
            )
        accept(resource, "AwsSolutions-L1", "The asset is built and tested for Python 3.13, which durable functions support")
        return resource

    def _name(self, function: Function) -> str | None:
        """A generated name would be a circular reference for a function whose ARN is in its own role."""
        names = {Function.CHECKER: arns.checker_name, Function.REMEDIATOR: arns.remediator_name}
        return names[function](self._environment) if function in names else None

    def _variables(self, table: dynamodb.ITable, topics: Topics) -> dict[str, str]:
        stack = Stack.of(self)
        values = contract_environment.Environment(
            account=stack.account,
            region=stack.region,
            partition=stack.partition,
            incidents_table=table.table_name,
            remediator_arn=arns.remediator_alias(stack, self._environment),
            chat_topic_arn=topics.chat.topic_arn,
            people_topic_arn=topics.people.topic_arn,
            event_bus=arns.EVENT_BUS,
            our_role_arns=",".join(self.role_arns),
            may_simulate=str(self._environment.simulation).lower(),
            may_look_up_events=str(self._environment.event_history).lower(),
            bound_roles=",".join(arns.bound_roles(stack, self._environment)),
            settings_floor=";".join(f"{name}={value}" for name, value in self._environment.settings_floor),
            clusters=",".join(self._served),
            environment_name=self._environment.name,
        )
        return {contract_environment.variable(field.name): getattr(values, field.name) for field in fields(values)}


def bundled_code() -> lambda_.Code:
    """Return the asset for Lambda's platform, built from sources and pinned wheels.

    Raises:
        BundlingFailed: a wheel for the platform does not exist or cannot be downloaded.
    """
    return lambda_.Code.from_asset(str(build()))


def placeholder_code() -> lambda_.Code:
    """Return a placeholder with a constant hash, for templates that are not deployed, such as in tests."""
    return lambda_.Code.from_asset(str(LAMBDAS / "contract"), asset_hash="unbundled", exclude=["__pycache__"])


def logical_id(function: Function) -> str:
    """Return the prefix of the logical ids of a function's resources."""
    return function.value.title().replace("_", "")


def _attach_to_vpc(function: lambda_.Function, network: Network) -> None:
    # L1, since the L2 construct needs the VPC's zones and route tables, which requires a lookup in the account.
    _child(function).vpc_config = lambda_.CfnFunction.VpcConfigProperty(
        subnet_ids=list(network.subnets), security_group_ids=list(network.security_groups)
    )


def _child(function: lambda_.Function) -> lambda_.CfnFunction:
    resource = function.node.default_child
    assert isinstance(resource, lambda_.CfnFunction)  # noqa: S101  # for the type checker
    return resource
