"""The deployed stack, found by the remediator's name: its table, its topics, its roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambdas.adapters.aws_errors import translated
from lambdas.contract.environment import VARIABLES, Environment, Function, MissingEnvironment
from lambdas.contract.names import PROJECT
from lambdas.domain.errors import AccessDenied, NotFound

if TYPE_CHECKING:
    from cli.aws import Caller
    from lambdas.adapters.aws_session import AwsSession


def find(session: AwsSession, name: str) -> Environment | None:
    """What the functions were told at deployment, or None where no stack of this name is deployed here, or we may not look.

    The environment of this shell comes first, where it holds the functions' variables: for those who may not read functions.
    """
    try:
        return Environment.read()
    except MissingEnvironment:
        pass
    function = PROJECT + (f"-{name}" if name else "")
    try:
        with translated(f"read the configuration of function {function}"):
            answer = session.client("lambda").get_function_configuration(FunctionName=function)
    except (NotFound, AccessDenied):
        return None
    variables = answer.get("Environment", {}).get("Variables", {})
    return Environment.read({key: text for key, text in variables.items() if key in VARIABLES})


def without_stack(caller: Caller, region: str) -> Environment:
    """An environment for where nothing is deployed: no table, no topics, nobody to hand over to."""
    nothing = dict.fromkeys(("incidents_table", "remediator_arn", "chat_topic_arn", "people_topic_arn", "event_bus", "our_role_arns"), "")
    return Environment(account=caller.account, region=region, partition=caller.partition, may_simulate="true", **nothing)


def roles(environment: Environment) -> dict[Function, str]:
    """ARNs of the functions' roles, as far as a stack has told them."""
    return {function: role for function in Function if (role := environment.role_of(function))}
