"""The durable function, started and asked by its qualified ARN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from lambdas.adapters.aws_errors import from_client_error, translated
from lambdas.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.incidents.incident import Incident

_ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING"})
"""The states that an execution does not leave; a paused one goes on when it is resumed."""


class Remediator:
    """Implements `RemediatorPort`. `function_arn` is that of the alias that new incidents start on."""

    def __init__(self, session: AwsSession, function_arn: str) -> None:
        self._session = session
        self._function_arn = function_arn

    def start(self, incident: Incident) -> str:
        """Start it by the incident's id; again with the same incident is the same execution. Returns the execution's ARN.

        Name and payload make the execution, so the payload holds nothing that changes while the incident is open.
        Empty where an execution of that name runs already and Lambda does not tell its ARN.
        Source: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
        """
        return (
            self._begin(f"start the remediator for incident {incident.id}", incident.id, payload(incident)) or incident.execution_arn or ""
        )

    def start_digest(self, until: datetime, clusters: Sequence[str]) -> None:
        """Have it sum up the day that ends then: one execution, named by the moment, however often the schedule's event is delivered."""
        name = f"digest-{until:%Y%m%dT%H%M}"
        self._begin(f"start the remediator for {name}", name, orjson.dumps({"digest": {"until": until.isoformat(), "clusters": clusters}}))

    def _begin(self, attempt: str, name: str, payload: bytes) -> str:
        """The ARN of the execution of this name, which is made where there is none; empty where it is there and Lambda does not tell."""
        from botocore.exceptions import ClientError

        asked = {"InvocationType": "Event", "DurableExecutionName": name, "Payload": payload}
        with translated(attempt):
            try:
                answer = self._lambda.invoke(FunctionName=self._function_arn, **asked)
            except ClientError as error:
                if error.response["Error"]["Code"] != "DurableExecutionAlreadyStartedException":
                    raise from_client_error(attempt, error) from error
                return ""
        return str(answer.get("DurableExecutionArn", ""))

    def running(self, execution_arn: str) -> bool:
        """Whether the execution has not ended. An execution that is not known does not run."""
        try:
            with translated(f"ask for the state of {execution_arn}"):
                answer = self._lambda.get_durable_execution(DurableExecutionArn=execution_arn, IncludeExecutionData=False)
        except NotFound:
            return False
        return answer["Status"] not in _ENDED

    @property
    def _lambda(self) -> Any:
        return self._session.client("lambda")


def payload(incident: Incident) -> bytes:
    """What the remediator is invoked with: `{"incident_id": ..., "target": "cluster/namespace/name"}`."""
    return orjson.dumps({"incident_id": incident.id, "target": incident.target.key})
