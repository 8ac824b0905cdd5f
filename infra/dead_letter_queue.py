"""Queues that keep what failed for good; each has an alarm."""

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.security_rules import accept


def dead_letter_queue(scope: Construct, name: str, key: kms.IKey | None) -> sqs.Queue:
    """A queue that is encrypted, reached by TLS alone, and keeps a message as long as SQS can: 14 days."""
    queue = sqs.Queue(
        scope,
        name,
        encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
    accept(queue, "AwsSolutions-SQS3", "It is itself a dead-letter queue, and has an alarm")
    return queue
