"""Exceptions of botocore, by the domain error that they become."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from lambdas.adapters.aws_errors import translated
from lambdas.domain.errors import AccessDenied, Busy, Conflict, Denial, NotFound, PermanentError, RemediatorError, TransientError


def answer(code: str, status: int = 400, **headers: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "words"}, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers}}
    return ClientError(response, "Operation")


ERRORS: dict[str, tuple[Exception, type[RemediatorError]]] = {
    "throttled": (answer("ThrottlingException"), TransientError),
    "throttled, other code": (answer("Whatever", 429), TransientError),
    "5xx": (answer("InternalFailure", 503), TransientError),
    "transaction in the way": (answer("TransactionConflictException"), TransientError),
    "credentials ran out": (answer("ExpiredTokenException", 403), TransientError),
    "denied": (answer("AccessDeniedException"), AccessDenied),
    "denied, other code": (answer("Whatever", 403), AccessDenied),
    "unknown caller": (answer("UnrecognizedClientException"), AccessDenied),
    "not found": (answer("ResourceNotFoundException", 404), NotFound),
    "no such entity": (answer("NoSuchEntity", 404), NotFound),
    "condition": (answer("ConditionalCheckFailedException"), Conflict),
    "mid-update": (answer("ResourceInUseException", 409), Busy),
    "bad request": (answer("ValidationException"), PermanentError),
    "no connection": (EndpointConnectionError(endpoint_url="https://x"), TransientError),
    "connect time-out": (ConnectTimeoutError(endpoint_url="https://x"), TransientError),
    "read time-out": (ReadTimeoutError(endpoint_url="https://x"), TransientError),
    "closed": (ConnectionClosedError(endpoint_url="https://x"), TransientError),
    "no credentials": (NoCredentialsError(), AccessDenied),
    "a proxy's page in the place of an answer": (ResponseParserError("Unable to parse response"), TransientError),
    "wrong call": (ParamValidationError(report="no"), PermanentError),
}


@pytest.mark.parametrize(("raised", "kind"), ERRORS.values(), ids=ERRORS)
def test_each_error_is_translated(raised: Exception, kind: type[RemediatorError]) -> None:
    with pytest.raises(kind, match="read the moon: ") as caught, translated("read the moon"):
        raise raised
    assert type(caught.value) is kind
    assert caught.value.__cause__ is raised


def test_denials_distinguish_a_missing_statement_from_an_unknown_caller() -> None:
    for code, denial in (("AccessDenied", Denial.FORBIDDEN), ("InvalidClientTokenId", Denial.UNAUTHENTICATED)):
        with pytest.raises(AccessDenied) as caught, translated("x"):
            raise answer(code)
        assert caught.value.denial is denial


@pytest.mark.parametrize(("header", "seconds"), [("2", 2.0), ("0", 0.0), ("-1", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
def test_retry_after_of_a_throttled_call_is_kept(header: str, seconds: float | None) -> None:
    with pytest.raises(TransientError) as caught, translated("x"):
        raise answer("ThrottlingException", **{"retry-after": header})
    assert caught.value.retry_after_s == seconds


def test_a_programming_error_is_not_translated() -> None:
    with pytest.raises(KeyError), translated("x"):
        raise KeyError("ours")
