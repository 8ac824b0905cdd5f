"""The AWS side of an environment: roles, OIDC provider, parameters, incidents table and topics."""

import json
from dataclasses import dataclass
from typing import Final

from lambdas.contract.incidents import PARTITION_KEY, SORT_KEY
from lambdas.contract.names import ANY_CLUSTER, PROJECT
from lambdas.contract.parameters import binding_path
from lambdas.contract.settings import settings_path
from sandbox.aws.local_aws import ACCOUNT, LocalAws
from sandbox.aws.principals import trust_of
from sandbox.event_bus.rules import make_queue
from sandbox.simulation.scenario import BOUND, World
from sandbox.simulation.trust_policies import trust_policy

CLUSTER: Final = "demo"
ROLE: Final = f"{CLUSTER}-vpc-cni"
NODE_ROLE: Final = f"{CLUSTER}-node"
CHECKER: Final = f"{PROJECT}-checker"
REMEDIATOR: Final = f"{PROJECT}-remediator"
OPERATOR: Final = "ci-deploy"
TABLE: Final = f"{PROJECT}-incidents"
NAMESPACE: Final = "kube-system"


def role_arn(name: str, account: str = ACCOUNT) -> str:
    """ARN of a role in an account, by default the account of the sandbox."""
    return f"arn:aws:iam::{account}:role/{name}"


def resolve_role(text: str | None) -> str | None:
    """The ARN for a role in a scenario, where `bound` names the role of the world."""
    return role_arn(ROLE) if text == BOUND else text


@dataclass(frozen=True, kw_only=True)
class Topics:
    """ARNs of the two topics, and URL of the queue that receives the chat messages."""

    chat: str
    people: str
    chat_queue: str


def create_identity(aws: LocalAws, world: World, issuer: str) -> None:
    """Create the roles, the user and the OIDC provider of the scenario."""
    aws.roles.create_user(OPERATOR)
    iam = aws.client("iam")
    iam.create_role(RoleName=NODE_ROLE, AssumeRolePolicyDocument=json.dumps(trust_of("ec2.amazonaws.com")))
    if world.role_exists:
        policy = trust_policy(world, issuer=issuer.removeprefix("https://"), account=ACCOUNT, namespace=NAMESPACE)
        iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(policy))
    if world.oidc_provider:
        iam.create_open_id_connect_provider(Url=issuer, ClientIDList=list(world.oidc_client_ids), ThumbprintList=["9" * 40])


def create_function_roles(aws: LocalAws) -> None:
    """Create the roles of the functions."""
    for name in (CHECKER, REMEDIATOR):
        aws.roles.create(name)


def put_parameters(aws: LocalAws, world: World) -> None:
    """Write the binding and the settings."""
    ssm = aws.client("ssm")
    if (value := world.binding_value(resolve_role(world.binding))) is not None:
        ssm.put_parameter(
            Name=binding_path(CLUSTER, NAMESPACE, world.service_account), Value=value, Type=world.binding_type, Overwrite=True
        )
    for name, text in world.settings.items():
        ssm.put_parameter(Name=settings_path(ANY_CLUSTER, name), Value=str(text), Type="String", Overwrite=True)


def create_table(aws: LocalAws) -> None:
    """Create the incidents table with the keys of the contract."""
    keys = ((PARTITION_KEY, "HASH"), (SORT_KEY, "RANGE"))
    aws.client("dynamodb").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
    )


def create_topics(aws: LocalAws) -> Topics:
    """Create both topics, each with a queue as its subscriber."""
    sns, sqs = aws.client("sns"), aws.client("sqs")

    def subscribed(name: str) -> tuple[str, str]:
        topic = str(sns.create_topic(Name=name)["TopicArn"])
        queue, arn = make_queue(sqs, name)
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return topic, queue

    chat, chat_queue = subscribed(f"{PROJECT}-chat")
    people, _ = subscribed(f"{PROJECT}-people")
    return Topics(chat=chat, people=people, chat_queue=chat_queue)
