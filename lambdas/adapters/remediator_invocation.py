"""Starts executions of the remediator, a durable function, and reads their status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from lambdas.adapters.aws_errors import from_client_error, translated
from lambdas.contract.names import PROJECT
from lambdas.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.incidents.incident import Incident

_ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING"})
"""The final states of an execution. A paused execution is not final."""


class Remediator:
    """Implements `RemediatorPort`. `function_arn` is the ARN of the alias that starts new executions."""

    def __init__(self, session: AwsSession, function_arn: str) -> None:
        self._session = session
        self._function_arn = function_arn

    def start(self, incident: Incident) -> str:
        """Start the execution that is named by the incident's id and the number of the execution, and return its ARN.

        A repeated start returns the same execution.

        Name and payload identify the execution, so the payload has no field that changes while the incident is open.
        The ARN is empty if an execution of this name exists and Lambda does not return its ARN.
        Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
        """
        return (
            self._begin(f"start the remediator for incident {incident.id}", execution_name(incident), payload(incident))
            or incident.execution_arn
            or ""
        )

    def start_digest(self, until: datetime, clusters: Sequence[str]) -> None:
        """Start the digest of the day that ends at `until`. A repeated event starts no second execution.

        The name holds the environment and the time: one page of AWS has names unique in a function, another in an account and region.
        """
        name = f"digest{_environment_suffix(self._function_arn)}-{until:%Y%m%dT%H%M}"
        self._begin(f"start the remediator for {name}", name, orjson.dumps({"digest": {"until": until.isoformat(), "clusters": clusters}}))

    def _begin(self, attempt: str, name: str, payload: bytes) -> str:
        """Invoke the function under this execution name. Returns the ARN, or empty if the execution exists and Lambda returns none."""
        from botocore.exceptions import ClientError

        request = {"InvocationType": "Event", "DurableExecutionName": name, "Payload": payload}
        with translated(attempt):
            try:
                answer = self._lambda.invoke(FunctionName=self._function_arn, **request)
            except ClientError as error:
                if error.response["Error"]["Code"] != "DurableExecutionAlreadyStartedException":
                    raise from_client_error(attempt, error) from error
                return ""
        return str(answer.get("DurableExecutionArn", ""))

    def running(self, execution_arn: str) -> bool:
        """Whether the execution has not ended. False for an unknown execution."""
        try:
            with translated(f"read the status of {execution_arn}"):
                answer = self._lambda.get_durable_execution(DurableExecutionArn=execution_arn, IncludeExecutionData=False)
        except NotFound:
            return False
        return answer["Status"] not in _ENDED

    @property
    def _lambda(self) -> Any:
        return self._session.client("lambda")


def _environment_suffix(function_arn: str) -> str:
    """The suffix of the function's name, such as `-prod`; empty for the environment without a name."""
    return function_arn.split(":")[6].removeprefix(PROJECT)


def execution_name(incident: Incident) -> str:
    """The incident's id; with the number of the execution from the second one on."""
    return incident.id if incident.execution == 1 else f"{incident.id}-{incident.execution}"


def payload(incident: Incident) -> bytes:
    """The payload of the remediator: `{"incident_id": ..., "target": "cluster/namespace/name"}`, and `execution` from the second one on."""
    number = {"execution": incident.execution} if incident.execution > 1 else {}
    return orjson.dumps({"incident_id": incident.id, "target": incident.target.key, **number})
