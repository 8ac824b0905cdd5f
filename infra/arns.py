"""ARNs of the contract's targets in a stack, and physical names that other resources refer to."""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Stack
from aws_cdk import aws_dynamodb as dynamodb

from infra.configuration import Environment
from infra.topics import Topics, chat_topic_name
from lambdas.contract.access import Target
from lambdas.contract.names import PARAMETER_ROOT, PROJECT
from lambdas.contract.workloads import KNOWN_ADDONS

ALIAS: Final = "live"
EVENT_BUS: Final = "default"
"""AWS delivers native events and CloudTrail events to the default bus only."""


def remediator_name(environment: Environment) -> str:
    """Return the remediator's function name. It is fixed, since its role, its environment and the chat role contain it."""
    return f"{PROJECT}{environment.suffix}"


def checker_name(environment: Environment) -> str:
    """Return the checker's function name. It is fixed, since its own role contains it.

    The underscore keeps it apart from the remediator of an environment called `checker`: no name of an environment contains one.
    """
    return f"{PROJECT}_checker{environment.suffix}"


def remediator_alias(stack: Stack, environment: Environment) -> str:
    """Return the qualified ARN that the checker invokes for a new incident."""
    return f"{_remediator(stack, environment)}:{ALIAS}"


def remediator_executions(stack: Stack, environment: Environment) -> str:
    """Return the ARN pattern of all versions and executions of the remediator. IAM ignores aliases in durable calls.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-security.html
    """
    return f"{_remediator(stack, environment)}:*"


def chat_topic(stack: Stack, environment: Environment) -> str:
    """Return the ARN of an environment's chat topic, which may be in another region than the stack."""
    region, account = environment.region or stack.region, environment.account or stack.account
    return f"arn:{stack.partition}:sns:{region}:{account}:{chat_topic_name(environment)}"


def bound_roles(stack: Stack, environment: Environment) -> list[str]:
    """Return the configured roles as ARNs. A path means all roles under it."""
    return _role_arns(stack, environment.bound_roles)


def _own_bound_roles(stack: Stack, environment: Environment) -> list[str]:
    """The configured roles of the environment's own account: IAM neither reads nor passes roles of another account."""
    is_foreign = [
        role.startswith("arn:") and role.split(":")[4] != (environment.account or role.split(":")[4]) for role in environment.bound_roles
    ]
    return _role_arns(stack, [role for role, foreign in zip(environment.bound_roles, is_foreign, strict=True) if not foreign])


def _role_arns(stack: Stack, roles: Sequence[str]) -> list[str]:
    return [role if role.startswith("arn:") else f"arn:{stack.partition}:iam::{stack.account}:role{role}*" for role in roles]


def target_arns(stack: Stack, environment: Environment, *, table: dynamodb.ITable, topics: Topics) -> Mapping[Target, Sequence[str]]:
    """Return the ARNs of the targets that all functions share."""

    def regional(service: str, resource: str) -> str:
        return f"arn:{stack.partition}:{service}:{stack.region}:{stack.account}:{resource}"

    def in_iam(resource: str) -> str:
        return f"arn:{stack.partition}:iam::{stack.account}:{resource}"

    configured = _own_bound_roles(stack, environment)
    parameters = f"parameter{PARAMETER_ROOT}"
    return {
        # IAM evaluates GetParametersByPath against the path itself, and GetParameter against the parameters under it.
        Target.PARAMETERS: [regional("ssm", parameters), regional("ssm", f"{parameters}/*")],
        Target.CHANGE_CALENDARS: [regional("ssm", "document/*")],
        Target.CLUSTERS: [regional("eks", "cluster/*")],
        Target.ADDONS: [regional("eks", "addon/*/*/*")],
        Target.KNOWN_ADDONS: [
            regional("eks", f"addon/{cluster}/{addon}/*") for cluster in _named_clusters(environment) for addon in KNOWN_ADDONS
        ],
        Target.NAMED_CLUSTERS: [regional("eks", f"cluster/{cluster}") for cluster in _named_clusters(environment)],
        Target.NAMED_ASSOCIATIONS: [regional("eks", f"podidentityassociation/{cluster}/*") for cluster in _named_clusters(environment)],
        Target.NODEGROUPS: [regional("eks", "nodegroup/*/*/*")],
        Target.ASSOCIATIONS: [regional("eks", "podidentityassociation/*/*")],
        Target.BOUND_ROLES: configured or [in_iam("role/*")],
        Target.PASSABLE_ROLES: configured,
        Target.OIDC_PROVIDERS: [in_iam("oidc-provider/*")],
        Target.INCIDENTS: [table.table_arn],
        Target.CHECKER: [_function(stack, environment, checker_name(environment))],
        Target.REMEDIATOR: [remediator_executions(stack, environment)],
        Target.CHAT_TOPIC: [topics.chat.topic_arn],
        Target.PEOPLE_TOPIC: [topics.people.topic_arn],
        Target.EVENT_BUS: [regional("events", f"event-bus/{EVENT_BUS}")],
        Target.KEY: [topics.key.key_arn],
        Target.EVERYTHING: ["*"],
    }


def _named_clusters(environment: Environment) -> list[str]:
    return [cluster.name for cluster in environment.clusters] or ["*"]


def _remediator(stack: Stack, environment: Environment) -> str:
    return _function(stack, environment, remediator_name(environment))


def _function(stack: Stack, environment: Environment, name: str) -> str:
    region, account = environment.region or stack.region, environment.account or stack.account
    return f"arn:{stack.partition}:lambda:{region}:{account}:function:{name}"
