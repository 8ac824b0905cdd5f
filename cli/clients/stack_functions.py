"""The deployed functions: list, invoke, and follow a durable execution, with the caller's own rights."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from cli.clients.stack_ports import Concurrency, DeployedFunction, Execution
from lambdas.adapters.aws_errors import translated
from lambdas.contract.timeouts import CHECKER_TIMEOUT_S
from lambdas.domain.errors import PermanentError, TransientError
from lambdas.notifications.time_text import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lambdas.adapters.aws_session import AwsSession

INVOCATION_TIMEOUT_S: Final = CHECKER_TIMEOUT_S + 10
_ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING"})


class LambdaFunctions:
    """Implements `DeployedFunctions`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def of_roles(self, role_arns: Sequence[str]) -> Mapping[str, DeployedFunction]:
        """Return the functions with these roles. Only the remediator has a fixed name, and a role belongs to one function."""
        return {item["Role"]: _deployed(item) for item in self._all() if item.get("Role") in role_arns}

    def invoke(self, function_arn: str, payload: Mapping[str, Any]) -> Any:
        """Invoke a function and wait for its answer."""
        client = self._session.client("lambda", read_timeout_s=INVOCATION_TIMEOUT_S)
        with translated(f"invoke {_name(function_arn)}"):
            answer = client.invoke(FunctionName=function_arn, InvocationType="RequestResponse", Payload=json.dumps(payload).encode())
            text = answer["Payload"].read().decode(errors="replace")
        if "FunctionError" in answer:
            raise PermanentError(f"{_name(function_arn)} failed: {_error(text)}")
        return _parsed(text, function_arn)

    def start(self, function_arn: str, name: str, payload: Mapping[str, Any]) -> str:
        """Start an execution. Lambda accepts no synchronous call of a function whose executions may take longer than 15 minutes.

        Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
        """
        with translated(f"start an execution of {_name(function_arn)}"):
            answer = self._session.client("lambda").invoke(
                FunctionName=function_arn, InvocationType="Event", DurableExecutionName=name, Payload=json.dumps(payload).encode()
            )
        return str(answer.get("DurableExecutionArn", ""))

    def callback_id(self, execution_arn: str) -> str:
        """Return the id of the newest callback in the history.

        Source: https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecutionHistory.html
        """
        with translated("read the history of the execution"):
            page = self._session.client("lambda").get_durable_execution_history(DurableExecutionArn=execution_arn, ReverseOrder=True)
        started = (event.get("CallbackStartedDetails", {}).get("CallbackId", "") for event in page["Events"])
        return next((str(found) for found in started if found), "")

    def execution(self, execution_arn: str) -> Execution:
        """Return the state of an execution, with its result."""
        with translated("read the execution"):
            answer = self._session.client("lambda").get_durable_execution(DurableExecutionArn=execution_arn, IncludeExecutionData=True)
        status = str(answer["Status"])
        error = answer.get("Error") or {}
        text = "" if status == "SUCCEEDED" else f"{status} {error.get('ErrorType', '')} {error.get('ErrorMessage', '')}".strip()
        return Execution(is_ended=status in _ENDED, result=str(answer.get("Result") or ""), error=text if status in _ENDED else "")

    def concurrency(self) -> Concurrency:
        """Return the concurrency of the account."""
        with translated("read the quotas of Lambda"):
            limits = self._session.client("lambda").get_account_settings()["AccountLimit"]
        return Concurrency(quota=limits["ConcurrentExecutions"], unreserved=limits["UnreservedConcurrentExecutions"])

    def _all(self) -> list[Mapping[str, Any]]:
        with translated("list the functions"):
            pages = self._session.client("lambda").get_paginator("list_functions").paginate()
            return [function for page in pages for function in page["Functions"]]


def _deployed(item: Mapping[str, Any]) -> DeployedFunction:
    variables = item.get("Environment", {}).get("Variables", {})
    return DeployedFunction(
        name=item["FunctionName"],
        arn=item["FunctionArn"],
        role_arn=item["Role"],
        modified_at=moment(item.get("LastModified")),
        environment_bytes=len(json.dumps(dict(variables), separators=(",", ":"))),
        dead_letters=str(item.get("DeadLetterConfig", {}).get("TargetArn", "")),
    )


def _name(arn: str) -> str:
    return arn.partition(":function:")[2] or arn


def _error(text: str) -> str:
    try:
        body = json.loads(text)
        return f"{body.get('errorType', '')} {body.get('errorMessage', '')}".strip()
    except (ValueError, AttributeError):
        return text


def _parsed(text: str, function_arn: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise TransientError(f"invoke {_name(function_arn)}: the answer is not JSON") from error
