"""AWS calls that only the command line makes: write parameters, answer waiting executions, test event patterns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lambdas.adapters.aws_errors import from_client_error, translated
from lambdas.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambdas.adapters.aws_session import AwsSession


class ParameterStoreWriter:
    """Implements `ParameterWriter`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def put(self, path: str, value: str) -> None:
        """Create or overwrite a String."""
        with translated(f"write parameter {path}"):
            self._session.client("ssm").put_parameter(Name=path, Value=value, Type="String", Overwrite=True)

    def delete(self, path: str) -> bool:
        """Delete a parameter. False: it did not exist."""
        with translated(f"delete parameter {path}"):
            answer = self._session.client("ssm").delete_parameters(Names=[path])
        return path in answer["DeletedParameters"]


class LambdaCallbacks:
    """Implements `ApprovalCallbacks`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def answer(self, callback_id: str, result: Mapping[str, Any]) -> None:
        """Resume the execution with the result as JSON.

        Source: https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackSuccess.html
        """
        from botocore.exceptions import ClientError

        attempt = "answer the waiting execution"
        with translated(attempt):
            try:
                self._session.client("lambda").send_durable_execution_callback_success(
                    CallbackId=callback_id, Result=json.dumps(result).encode()
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in ("CallbackTimeoutException", "InvalidParameterValueException"):
                    raise NotFound(str(from_client_error(attempt, error))) from error
                raise


class EventBridgePatternTester:
    """Implements `EventPatternTester`.

    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html
    """

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def matching(self, event: Mapping[str, Any], patterns: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        """Return the names of the patterns that the event matches."""
        text = json.dumps(event)
        for name, pattern in patterns.items():
            with translated(f"test the event against rule {name}"):
                answer = self._session.client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=text)
            if answer["Result"]:
                yield name
