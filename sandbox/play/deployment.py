"""What deployment tells the functions."""

from dataclasses import fields
from typing import Final

from lambdas.contract.environment import Environment, variable
from sandbox.aws.local import ACCOUNT, REGION
from sandbox.play.accounts import CHECKER, REMEDIATOR, TABLE, Topics, role_arn

ALIAS: Final = "live"


def environment(topics: Topics) -> dict[str, str]:
    """The functions' variables, from the contract."""
    values = {
        "account": ACCOUNT,
        "region": REGION,
        "partition": "aws",
        "incidents_table": TABLE,
        "remediator_arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{REMEDIATOR}:{ALIAS}",
        "chat_topic_arn": topics.chat,
        "people_topic_arn": topics.people,
        "event_bus": "default",
        "our_role_arns": ",".join(map(role_arn, (CHECKER, REMEDIATOR))),
        "may_simulate": "false",
    }
    return {variable(it.name): values[it.name] for it in fields(Environment) if it.name in values}
