"""The functions' asset and environment variables, as the deployment creates them."""

from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Final

from infra.asset import Target, build
from lambdas.contract.environment import Environment, variable
from sandbox.aws.local_aws import ACCOUNT, REGION
from sandbox.simulation.aws_account import CHECKER, REMEDIATOR, TABLE, Topics, role_arn

ALIAS: Final = "live"


@cache
def function_asset() -> Path:
    """The asset for this machine; cached, because finding it hashes its sources."""
    return build(Target.this_machine())


def function_variables(topics: Topics) -> dict[str, str]:
    """The environment variables of the functions, from the contract."""
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
        "may_simulate": "true",
    }
    return {variable(field.name): values[field.name] for field in fields(Environment) if field.name in values}
