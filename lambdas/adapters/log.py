"""Structured log: one JSON object a line on standard output, where Lambda collects it."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.names import PROJECT

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_TEXT_LIMIT: Final = 2000


class Title(StrEnum):
    """What a line is about: the eight words of the pipeline, in their order."""

    EVENT = "event"
    REQUEST = "request"
    SNAPSHOT = "snapshot"
    DIAGNOSIS = "diagnosis"
    PLAN = "plan"
    ACTIONS = "actions"
    VERIFICATION = "verification"
    REPORT = "report"


def write(title: str, message: str, *, error: Exception | None = None, **fields: Any) -> None:
    """Write one line. Fields are ids, counts and short texts: never tokens, whole objects or payloads, and each text is cut.

    With an `error` it is a warning that names the error's class; what it says is in the message. The dashboard lists warnings.
    """
    cut: dict[str, Any] = {name: value[:_TEXT_LIMIT] if isinstance(value, str) else _by_type(value) for name, value in fields.items()}
    if error:
        _logger().warning(message[:_TEXT_LIMIT], title=Title(title), error=type(error).__name__, **cut)
    else:
        _logger().info(message[:_TEXT_LIMIT], title=Title(title), **cut)


@cache
def _logger() -> Logger:
    from aws_lambda_powertools import Logger

    return Logger(service=PROJECT, level="INFO", use_rfc3339=True, utc=True, location=None)


def _by_type(value: object) -> object:
    """What is no plain data is told by its type alone, so that no object's insides leak: Powertools would write a dataclass out whole."""
    if isinstance(value, list | tuple):
        return [_by_type(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _by_type(item) for key, item in value.items()}
    return value if value is None or isinstance(value, str | int | float) else f"<{type(value).__name__}>"
