"""Dead-letter queues. Each has an alarm."""

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.security_rules import accept


def dead_letter_queue(scope: Construct, name: str, key: kms.IKey | None) -> sqs.Queue:
    """Create an encrypted queue that requires TLS and keeps messages for 14 days, the maximum of SQS."""
    queue = sqs.Queue(
        scope,
        name,
        encryption=sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED,
        encryption_master_key=key,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
    accept(queue, "AwsSolutions-SQS3", "It is a dead-letter queue itself and has an alarm")
    return queue
