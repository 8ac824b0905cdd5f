"""The SNS topics: chat, in the schema of Amazon Q Developer; people, in plain text; and fallback, for alarms about the other two."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.configuration import Environment
from infra.security_rules import accept
from lambdas.contract.names import PROJECT


def chat_topic_name(environment: Environment) -> str:
    """Return the chat topic's name. It is fixed, so that a stack in another region can refer to it."""
    return f"{PROJECT}-chat{environment.suffix}"


class Topics(Construct):
    """The topics, and the key of all but the fallback.

    The fallback depends on neither the key nor the other topics, so that it also works when one of them is the cause of the failure. It
    carries alarms only, which name this stack and no cluster.
    """

    def __init__(self, scope: Construct, name: str, *, environment: Environment, customer_key: kms.IKey | None) -> None:
        super().__init__(scope, name)
        # AWS services cannot publish to a topic with the AWS managed SNS key, so alarms would be lost silently.
        # Source: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        self.key = customer_key or _create_key(self)
        self.chat = sns.Topic(self, "Chat", topic_name=chat_topic_name(environment), master_key=self.key, enforce_ssl=True)
        self.people = sns.Topic(self, "People", display_name=PROJECT, master_key=self.key, enforce_ssl=True)
        self.fallback = sns.Topic(self, "Fallback", display_name=f"{PROJECT} fallback", enforce_ssl=True)
        accept(self.fallback, "AwsSolutions-SNS2", "The fallback must not depend on a key; it carries alarms about this stack only")
        for topic in (self.people, self.fallback):
            topic.add_to_resource_policy(_alarms_may_publish(self, topic))
            for address in environment.notify.mail:
                topic.add_subscription(subscriptions.EmailSubscription(address))
            for url in environment.notify.https:
                topic.add_subscription(subscriptions.UrlSubscription(url, protocol=sns.SubscriptionProtocol.HTTPS))
        for topic in (self.chat, self.people, self.fallback):
            topic.add_to_resource_policy(_others_may_not_publish(self, topic))


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


def _others_may_not_publish(scope: Construct, topic: sns.Topic) -> iam.PolicyStatement:
    """Deny principals of other accounts, even if someone later allows them. AWS services are bound by their own statement.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalisawsservice
    """
    return iam.PolicyStatement(
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=["sns:Publish"],
        resources=[topic.topic_arn],
        conditions={
            "StringNotEquals": {"aws:PrincipalAccount": Stack.of(scope).account},
            "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
        },
    )
