"""What the contract's targets are in a stack, and the names that have to be known before anything is made."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb

from infra.configuration import Environment
from infra.topics import Topics, chat_topic_name
from lambdas.contract.access import Target
from lambdas.contract.names import PARAMETER_ROOT, PROJECT

ALIAS: Final = "live"
EVENT_BUS: Final = "default"
"""Native events and CloudTrail's arrive on the default bus alone."""


def remediator_name(environment: Environment) -> str:
    """The remediator's function name, fixed since its role, its environment and the chat role name it."""
    return f"{PROJECT}{environment.suffix}"


def remediator_alias(stack: Stack, environment: Environment) -> str:
    """The qualified ARN that new incidents start on."""
    return f"{_remediator(stack, environment)}:{ALIAS}"


def remediator_executions(stack: Stack, environment: Environment) -> str:
    """Every version of the remediator and every execution of them; aliases do not count for durable calls.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html
    """
    return f"{_remediator(stack, environment)}:*"


def chat_topic(stack: Stack, environment: Environment) -> str:
    """The ARN of the chat topic of an environment, which may be another's than the stack's."""
    region, account = environment.region or stack.region, environment.account or stack.account
    return f"arn:{stack.partition}:sns:{region}:{account}:{chat_topic_name(environment)}"


def bound_roles(stack: Stack, environment: Environment) -> list[str]:
    """The configured roles as ARNs; a path stands for all roles under it."""
    return [
        bound_role if bound_role.startswith("arn:") else f"arn:{stack.partition}:iam::{stack.account}:role{bound_role}*"
        for bound_role in environment.bound_roles
    ]


def target_arns(stack: Stack, environment: Environment, *, table: dynamodb.ITable, topics: Topics) -> Mapping[Target, Sequence[str]]:
    """The ARNs of all targets that are the same for each function."""

    def regional(service: str, resource: str) -> str:
        return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}:{resource}"

    def in_iam(resource: str) -> str:
        return f"arn:{stack.partition}:iam::{stack.account}:{resource}"

    configured = bound_roles(stack, environment)
    parameters = f"parameter{PARAMETER_ROOT}"
    return {
        # GetParametersByPath is checked on the path itself; the parameters lie under it.
        Target.PARAMETERS: [regional("ssm", parameters), regional("ssm", f"{parameters}/*")],
        Target.CHANGE_CALENDARS: [regional("ssm", "document/*")],
        Target.CLUSTERS: [regional("eks", "cluster/*")],
        Target.ADDONS: [regional("eks", "addon/*/*/*")],
        Target.NODEGROUPS: [regional("eks", "nodegroup/*/*/*")],
        Target.ASSOCIATIONS: [regional("eks", "podidentityassociation/*/*")],
        Target.BOUND_ROLES: configured or [in_iam("role/*")],
        Target.PASSABLE_ROLES: configured,
        Target.OIDC_PROVIDERS: [in_iam("oidc-provider/*")],
        Target.INCIDENTS: [table.table_arn],
        Target.REMEDIATOR: [remediator_executions(stack, environment)],
        Target.CHAT_TOPIC: [topics.chat.topic_arn],
        Target.PEOPLE_TOPIC: [topics.people.topic_arn],
        Target.EVENT_BUS: [regional("events", f"event-bus/{EVENT_BUS}")],
        Target.KEY: [topics.key.key_arn],
        Target.EVERYTHING: ["*"],
    }


def _remediator(stack: Stack, environment: Environment) -> str:
    region, account = environment.region or stack.region, environment.account or stack.account
    return f"arn:{stack.partition}:lambda:{region}:{account}:function:{remediator_name(environment)}"
