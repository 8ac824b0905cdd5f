"""The two topics: one in the schema of Amazon Q Developer for chat, one in plain words for people and pagers."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.configuration import Environment
from lambdas.contract.names import PROJECT


def chat_topic_name(environment: Environment) -> str:
    """The chat topic's name; it is fixed, so that a stack in another region can list the topic's ARN."""
    return f"{PROJECT}-chat{environment.suffix}"


class Topics(Construct):
    """Both topics, encrypted with one key."""

    def __init__(self, scope: Construct, name: str, *, environment: Environment, customer_key: kms.IKey | None) -> None:
        super().__init__(scope, name)
        # SNS's own key lets no service publish, so alarms would be lost without a word.
        # Source: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        self.key = customer_key or _key_of_ours(self)
        self.chat = sns.Topic(self, "Chat", topic_name=chat_topic_name(environment), master_key=self.key, enforce_ssl=True)
        self.people = sns.Topic(self, "People", display_name=PROJECT, master_key=self.key, enforce_ssl=True)
        self.people.add_to_resource_policy(_alarms_may_publish(self, self.people))
        for address in environment.notify.mail:
            self.people.add_subscription(subscriptions.EmailSubscription(address))
        for url in environment.notify.https:
            self.people.add_subscription(subscriptions.UrlSubscription(url, protocol=sns.SubscriptionProtocol.HTTPS))


def _key_of_ours(scope: Construct) -> kms.Key:
    key = kms.Key(
        scope,
        "Key",
        description="Encrypts the notifications of eks-irsa-remediator",
        enable_key_rotation=True,
        removal_policy=RemovalPolicy.DESTROY,  # messages are not stored: nothing becomes unreadable
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],  # in a key's policy: this key
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
