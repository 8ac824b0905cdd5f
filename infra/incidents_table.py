"""The DynamoDB table of incidents and history. It is retained when the stack is deleted."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from lambdas.contract.incidents import EXPIRES_AT, PARTITION_KEY, SORT_KEY


def incidents_table(scope: Construct, key: kms.IKey | None) -> dynamodb.Table:
    """Create the table with on-demand billing and point-in-time recovery. Without `key` DynamoDB uses its own key, free of charge."""
    return dynamodb.Table(
        scope,
        "Incidents",
        partition_key=dynamodb.Attribute(name=PARTITION_KEY, type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name=SORT_KEY, type=dynamodb.AttributeType.STRING),
        time_to_live_attribute=EXPIRES_AT,
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(point_in_time_recovery_enabled=True),
        encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if key else None,
        encryption_key=key,
        removal_policy=RemovalPolicy.RETAIN,
    )
