"""The chat channel in Amazon Q Developer, with Approve and Reject buttons. Its role can answer approval requests only."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Stack
from aws_cdk import aws_chatbot as chatbot
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra import arns
from infra.configuration import Environment, Slack, Teams
from infra.security_rules import accept_wildcards
from lambdas.contract.approval import ANSWERS, CALLBACK_ACTIONS, ID, NOTIFICATION_TYPE, Answer
from lambdas.contract.names import PROJECT


class Chat(Construct):
    """Configuration of one channel. A channel has one configuration in an account, so it also serves follower environments."""

    def __init__(
        self, scope: Construct, name: str, *, environment: Environment, topic: sns.ITopic, followers: Sequence[Environment]
    ) -> None:
        super().__init__(scope, name)
        stack = Stack.of(self)
        environments = (environment, *followers)
        answer_policy = self._policy(
            [arns.remediator_executions(stack, served) for served in environments],
            list(dict.fromkeys(served.key for served in environments if served.key)),
        )
        common: dict[str, Any] = {  # properties of both generated types
            "configuration_name": f"{PROJECT}{environment.suffix}",
            "iam_role_arn": self._role(answer_policy).role_arn,
            # The default guardrail is AdministratorAccess.
            "guardrail_policies": [answer_policy.managed_policy_arn],
            # The stack's own topic is a reference, so that it exists first. Followers' topics have fixed names.
            "sns_topic_arns": [topic.topic_arn, *(arns.chat_topic(stack, follower) for follower in followers)],
            "customization_resource_arns": [self._button(answer, environment).attr_custom_action_arn for answer in ANSWERS],
            "logging_level": "ERROR",
        }
        channel = environment.notify.slack or environment.notify.teams
        assert channel is not None  # noqa: S101  # the stack creates this construct only with a channel
        self._channel(channel, common)

    def _channel(self, channel: Slack | Teams, common: dict[str, Any]) -> None:
        if isinstance(channel, Slack):
            chatbot.CfnSlackChannelConfiguration(
                self, "Slack", slack_workspace_id=channel.workspace, slack_channel_id=channel.channel, **common
            )
        else:
            chatbot.CfnMicrosoftTeamsChannelConfiguration(
                self, "Teams", team_id=channel.team, teams_tenant_id=channel.tenant, teams_channel_id=channel.channel, **common
            )

    def _decryption(self, keys: Sequence[str]) -> list[iam.PolicyStatement]:
        """Statements for the keys of the environments: Lambda decrypts the state of an execution for the caller of a callback.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-encryption.html
        """
        regions = sorted({key.split(":")[3] for key in keys})
        condition = {"StringEquals": {"kms:ViaService": [f"lambda.{region}.amazonaws.com" for region in regions]}}
        return [iam.PolicyStatement(actions=["kms:Decrypt"], resources=list(keys), conditions=condition)] if keys else []

    def _policy(self, executions: Sequence[str], keys: Sequence[str]) -> iam.ManagedPolicy:
        policy = iam.ManagedPolicy(
            self,
            "AnswersAlone",
            description="Answer an approval request of eks-irsa-remediator",
            statements=[iam.PolicyStatement(actions=list(CALLBACK_ACTIONS), resources=list(executions)), *self._decryption(keys)],
        )
        accept_wildcards(policy, dict.fromkeys(executions, "Versions and execution ids of the remediator are known only at run time"))
        return policy

    def _role(self, policy: iam.ManagedPolicy) -> iam.Role:
        return iam.Role(
            self,
            "ChannelRole",
            description="Members of the chat channel may approve or reject a repair",
            # `IfExists`, since AWS does not document that this service sends the key; a service that sends it names the caller's account.
            # Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
            assumed_by=iam.ServicePrincipal(
                "chatbot.amazonaws.com", conditions={"StringEqualsIfExists": {"aws:SourceAccount": Stack.of(self).account}}
            ),
            managed_policies=[policy],
        )

    def _button(self, answer: Answer, environment: Environment) -> chatbot.CfnCustomAction:
        return chatbot.CfnCustomAction(
            self,
            answer.button,
            action_name=f"{PROJECT}{environment.suffix}-{answer.name}",
            definition=chatbot.CfnCustomAction.CustomActionDefinitionProperty(command_text=answer.command),
            attachments=[
                chatbot.CfnCustomAction.CustomActionAttachmentProperty(
                    button_text=answer.button,
                    notification_type=NOTIFICATION_TYPE,
                    variables=answer.variables,
                    criteria=[chatbot.CfnCustomAction.CustomActionAttachmentCriteriaProperty(operator="HAS_VALUE", variable_name=ID)],
                )
            ],
        )
