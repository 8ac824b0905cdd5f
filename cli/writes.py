"""AWS calls that only a person makes: parameters, answers to waiting executions, and tests of event patterns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lambdas.adapters.aws_errors import from_client_error, translated
from lambdas.domain.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambdas.adapters.aws_session import AwsSession


class Parameters:
    """Implements `ParameterWriter`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def put(self, path: str, value: str) -> None:
        """Write a String, whether it is there or not."""
        with translated(f"write parameter {path}"):
            self._session.client("ssm").put_parameter(Name=path, Value=value, Type="String", Overwrite=True)

    def delete(self, path: str) -> bool:
        """Remove it. False: there was none."""
        with translated(f"remove parameter {path}"):
            answer = self._session.client("ssm").delete_parameters(Names=[path])
        return path in answer["DeletedParameters"]


class LambdaCallbacks:
    """Implements `Callbacks`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def answer(self, callback_id: str, result: Mapping[str, Any]) -> None:
        """Let the execution go on, with the result as JSON.

        Source: https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackSuccess.html
        """
        from botocore.exceptions import ClientError

        attempt = "answer the execution that waits"
        with translated(attempt):
            try:
                self._session.client("lambda").send_durable_execution_callback_success(
                    CallbackId=callback_id, Result=json.dumps(result).encode()
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in ("CallbackTimeoutException", "InvalidParameterValueException"):
                    raise NotFound(str(from_client_error(attempt, error))) from error
                raise


class TestedPatterns:
    """Implements `Patterns` with EventBridge's own matcher.

    Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_TestEventPattern.html
    """

    __test__ = False  # the name is EventBridge's; it is no test

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def matching(self, event: Mapping[str, Any], patterns: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        """Names of the patterns that this event matches."""
        text = json.dumps(event)
        for name, pattern in patterns.items():
            with translated(f"test the event against rule {name}"):
                answer = self._session.client("events").test_event_pattern(EventPattern=json.dumps(pattern), Event=text)
            if answer["Result"]:
                yield name
