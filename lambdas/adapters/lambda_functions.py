"""Invokes the functions: executions of the remediator, a durable function, with their status, and checks by the checker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import orjson

from lambdas.adapters.aws_errors import from_client_error, translated
from lambdas.contract.names import EVENT_SOURCE, PROJECT
from lambdas.domain.errors import NotFound, RemediatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Executor
    from datetime import datetime

    from lambdas.adapters.aws_session import AwsSession
    from lambdas.domain.incidents.incident import Incident

_ENDED: Final = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING"})
"""The final states of an execution. A paused execution is not final."""
_CONCURRENT_REQUESTS: Final = 10
"""Invocations that wait for Lambda at the same time: a sweep of a hundred clusters then waits for ten of them in a row."""


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


class Checker:
    """Implements `ChecksPort`: hands each event to the checker itself, in an asynchronous invocation of its own.

    Lambda delivers such an event as it delivers one of the bus: it retries it and then sends it to the dead-letter queue. Only the
    invocation is paid, while an event on the bus costs five times as much in addition. Lambda stops a function that invokes itself about 16
    times in a row, so a chain of requests without a known end belongs on the bus.

    Sources: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html

    Args:
        session: creates the client.
        function_name: the name of the function.
        account: the account of the events.
        new_executor: creates the pool of threads, such as `ThreadPoolExecutor`.
        now: the clock.
    """

    def __init__(
        self,
        session: AwsSession,
        function_name: str,
        *,
        account: str,
        new_executor: Callable[[int], Executor],
        now: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._function_name = function_name
        self._account = account
        self._new_executor = new_executor
        self._now = now

    def request(self, checks: Sequence[Mapping[str, Any]]) -> None:
        """Hand over events. One that Lambda does not accept keeps no other one back.

        Raises:
            TransientError: Lambda did not accept an event.
        """
        if not checks:
            return
        with self._new_executor(_CONCURRENT_REQUESTS) as executor:
            invocations = [executor.submit(self._invoke, check) for check in checks]
        failures = [error for invocation in invocations if (error := invocation.result())]
        if failures:
            raise failures[0]

    def _invoke(self, check: Mapping[str, Any]) -> RemediatorError | None:
        payload = orjson.dumps({**self._envelope, **check})
        try:
            with translated(f"request a check by {self._function_name}"):
                self._session.client("lambda").invoke(FunctionName=self._function_name, InvocationType="Event", Payload=payload)
        except RemediatorError as error:
            return error
        return None

    @property
    def _envelope(self) -> dict[str, Any]:
        """The fields that EventBridge adds to an event.

        Source: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
        """
        return {
            "version": "0",
            "id": str(uuid4()),
            "source": EVENT_SOURCE,
            "account": self._account,
            "time": self._now().isoformat(),
            "region": self._session.region,
            "resources": [],
        }
