"""The two SNS topics: one for chat, in the schema of Amazon Q Developer, and one for mail and pagers, in plain text."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.configuration import Environment
from lambdas.contract.names import PROJECT


def chat_topic_name(environment: Environment) -> str:
    """Return the chat topic's name. It is fixed, so that a stack in another region can refer to it."""
    return f"{PROJECT}-chat{environment.suffix}"


class Topics(Construct):
    """Both topics and their key."""

    def __init__(self, scope: Construct, name: str, *, environment: Environment, customer_key: kms.IKey | None) -> None:
        super().__init__(scope, name)
        # AWS services cannot publish to a topic with the AWS managed SNS key, so alarms would be lost silently.
        # Source: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        self.key = customer_key or _create_key(self)
        self.chat = sns.Topic(self, "Chat", topic_name=chat_topic_name(environment), master_key=self.key, enforce_ssl=True)
        self.people = sns.Topic(self, "People", display_name=PROJECT, master_key=self.key, enforce_ssl=True)
        self.people.add_to_resource_policy(_alarms_may_publish(self, self.people))
        for address in environment.notify.mail:
            self.people.add_subscription(subscriptions.EmailSubscription(address))
        for url in environment.notify.https:
            self.people.add_subscription(subscriptions.UrlSubscription(url, protocol=sns.SubscriptionProtocol.HTTPS))


def _create_key(scope: Construct) -> kms.Key:
    key = kms.Key(
        scope,
        "Key",
        description="Encrypts the notifications of eks-irsa-remediator",
        enable_key_rotation=True,
        removal_policy=RemovalPolicy.DESTROY,  # no stored data becomes unreadable, since SNS keeps no messages
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],  # in a key policy, `*` is this key
            conditions={"StringEquals": {"aws:SourceAccount": Stack.of(scope).account}},
        )
    )
    return key


def _alarms_may_publish(scope: Construct, topic: sns.Topic) -> iam.PolicyStatement:
    stack = Stack.of(scope)
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
        actions=["sns:Publish"],
        resources=[topic.topic_arn],
        conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
    )
