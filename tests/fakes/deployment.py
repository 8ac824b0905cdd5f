"""What deployment told the functions of the fakes' account."""

from lambdas.contract.environment import Environment
from tests.world import ACCOUNT, PARTITION, REGION

ENVIRONMENT = Environment(
    account=ACCOUNT,
    region=REGION,
    partition=PARTITION,
    incidents_table="incidents",
    remediator_arn=f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:remediator:live",
    chat_topic_arn=f"arn:aws:sns:{REGION}:{ACCOUNT}:chat",
    people_topic_arn=f"arn:aws:sns:{REGION}:{ACCOUNT}:people",
    event_bus="default",
    our_role_arns="",
    may_simulate="false",
)
