"""Topics, alarms, queues and the policy simulator, read with the caller's own rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cli.clients.stack_ports import DeployedAlarm, TopicKey, TopicSubscription
from lambdas.adapters.aws_errors import translated
from lambdas.contract.metrics import SWEEPS
from lambdas.contract.names import METRIC_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lambdas.adapters.aws_session import AwsSession

_PENDING: Final = "PendingConfirmation"
"""The ARN of a subscription that its receiver has not confirmed.

Source: https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
"""
_ALLOWED: Final = "allowed"


class SnsTopics:
    """Implements `DeployedNotifications`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def subscriptions(self, topic_arn: str) -> tuple[TopicSubscription, ...]:
        """Return all subscriptions of a topic."""
        with translated(f"list the subscriptions of {topic_arn}"):
            pages = self._session.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
            items = [item for page in pages for item in page["Subscriptions"]]
        return tuple(
            TopicSubscription(protocol=item["Protocol"], endpoint=item["Endpoint"], is_confirmed=item["SubscriptionArn"] != _PENDING)
            for item in items
        )

    def key(self, topic_arn: str) -> TopicKey | None:
        """Return the topic's key and its state."""
        with translated(f"read the attributes of {topic_arn}"):
            attributes = self._session.client("sns").get_topic_attributes(TopicArn=topic_arn)["Attributes"]
        key_id = attributes.get("KmsMasterKeyId")
        if not key_id:
            return None
        with translated(f"describe key {key_id}"):
            return TopicKey(id=key_id, state=self._session.client("kms").describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"])

    def publish(self, topic_arn: str, subject: str, text: str) -> None:
        """Publish a text."""
        with translated(f"publish to {topic_arn}"):
            self._session.client("sns").publish(TopicArn=topic_arn, Subject=subject, Message=text)


class CloudWatchAndSqs:
    """Implements `StackOperation`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def alarms(self, topic_arn: str) -> tuple[DeployedAlarm, ...]:
        """Return the alarms that notify the topic.

        Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html
        """
        with translated("describe the alarms of the stack"):
            pages = self._session.client("cloudwatch").get_paginator("describe_alarms").paginate(ActionPrefix=topic_arn)
            return tuple(_alarm(item) for page in pages for item in page.get("MetricAlarms", ()))

    def sweeps(self, since: datetime, until: datetime) -> int:
        """Return the sum of the metric."""
        with translated(f"read the metric {SWEEPS.name}"):
            answer = self._session.client("cloudwatch").get_metric_statistics(
                Namespace=METRIC_NAMESPACE, MetricName=SWEEPS.name, StartTime=since, EndTime=until, Period=60, Statistics=["Sum"]
            )
        total: float = sum(point["Sum"] for point in answer["Datapoints"])
        return round(total)

    def messages(self, queue_arn: str) -> int:
        """Return the number of messages, approximately: SQS counts no better."""
        name, account = queue_arn.split(":")[5], queue_arn.split(":")[4]
        client = self._session.client("sqs")
        with translated(f"count the messages of {name}"):
            url = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
            attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])


def _alarm(item: Mapping[str, Any]) -> DeployedAlarm:
    """The alarm. An alarm on a metric of SQS names its queue in a dimension.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    """
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in item.get("Dimensions", ())}
    queue = dimensions.get("QueueName", "") if item.get("Namespace") == "AWS/SQS" else ""
    return DeployedAlarm(name=item["AlarmName"], state=item["StateValue"], queue=queue)


class IamPolicySimulator:
    """Implements `PolicySimulator`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def refused(self, role_arn: str, action: str, resources: Sequence[str], context: Mapping[str, str]) -> tuple[str, ...]:
        """Ask the simulator about each resource, since its answer names the resource as it understood it.

        Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
        """
        entries = [{"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"} for key, value in context.items()]
        found = []
        for resource in resources:
            with translated(f"simulate {action} of {role_arn}"):
                answer = self._session.client("iam").simulate_principal_policy(
                    PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
                )
            if any(result["EvalDecision"] != _ALLOWED for result in answer["EvaluationResults"]):
                found.append(resource)
        return tuple(found)
