"""The deployed stack: its table, topics and roles, read from the remediator's environment variables."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lambdas.adapters.aws_errors import translated
from lambdas.contract.environment import VARIABLES, Environment, Function, MissingEnvironment, variable
from lambdas.contract.names import PROJECT
from lambdas.contract.settings import UNKNOWN_FLOOR
from lambdas.domain.errors import AccessDenied, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.clients.aws_session import CallerIdentity
    from lambdas.adapters.aws_session import AwsSession


FLOOR_VARIABLE: Final = variable("settings_floor")


def find(session: AwsSession, name: str, shell: Mapping[str, str] = os.environ) -> Environment | None:
    """Return the environment of the deployed functions, or None where no stack of this name is found or it may not be read.

    Variables of the `shell` take precedence, for callers who may not read functions. A function without the variable of the floor has no
    floor; a shell without it does not say.
    """
    try:
        written = Environment.read(shell)
    except MissingEnvironment:
        pass
    else:
        return written if FLOOR_VARIABLE in shell else replace(written, settings_floor=UNKNOWN_FLOOR)
    function = PROJECT + (f"-{name}" if name else "")
    try:
        with translated(f"read the configuration of function {function}"):
            answer = session.client("lambda").get_function_configuration(FunctionName=function)
    except (NotFound, AccessDenied):
        return None
    variables = answer.get("Environment", {}).get("Variables", {})
    return Environment.read({name: value for name, value in variables.items() if name in VARIABLES})


def without_stack(caller: CallerIdentity, region: str) -> Environment:
    """Return the environment where no stack is deployed: no table, no topics, no remediator."""
    empty = dict.fromkeys(("incidents_table", "remediator_arn", "chat_topic_arn", "people_topic_arn", "event_bus", "our_role_arns"), "")
    return Environment(
        account=caller.account,
        region=region,
        partition=caller.partition,
        may_simulate="true",
        settings_floor=UNKNOWN_FLOOR,
        **empty,
    )


def roles(environment: Environment) -> dict[Function, str]:
    """Return the role ARN of each function. Empty where no stack is deployed."""
    return {function: role for function in Function if (role := environment.role_of(function))}
