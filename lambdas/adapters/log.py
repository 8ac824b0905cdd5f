"""Structured log: one JSON object per line on standard output, which Lambda collects."""

from __future__ import annotations

import json
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from lambdas.contract.names import PROJECT
from lambdas.domain.redaction import redacted

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

_TEXT_LIMIT: Final = 2000


class Title(StrEnum):
    """The pipeline step that a line belongs to: the eight words of the pipeline, in order."""

    EVENT = "event"
    REQUEST = "request"
    SNAPSHOT = "snapshot"
    DIAGNOSIS = "diagnosis"
    PLAN = "plan"
    ACTIONS = "actions"
    VERIFICATION = "verification"
    REPORT = "report"


def write(title: str, message: str, *, error: Exception | None = None, **fields: Any) -> None:
    """Write one line. Fields are ids, counts and short texts, never tokens, objects or payloads. Long texts are truncated.

    With `error`, the line is a warning that names the class of the error. The dashboard lists warnings.
    """
    loggable: dict[str, Any] = {name: _loggable(value) for name, value in fields.items()}
    text = redacted(message)[:_TEXT_LIMIT]
    if error:
        _logger().warning(text, title=Title(title), error=type(error).__name__, **loggable)
    else:
        _logger().info(text, title=Title(title), **loggable)


@cache
def _logger() -> Logger:
    from aws_lambda_powertools import Logger

    return Logger(service=PROJECT, level="INFO", use_rfc3339=True, utc=True, location=None, json_serializer=_as_json)


def _as_json(record: dict[str, Any]) -> str:
    """One line of ASCII: `aws logs tail` writes it to a terminal, which would act on control characters of a cluster's texts."""
    return json.dumps(record, default=str, separators=(",", ":")).replace("\x7f", "\\u007f")


def _loggable(value: object) -> object:
    """Plain data with redacted, truncated texts; any other object as its type name, since Powertools would serialize a dataclass."""
    if isinstance(value, list | tuple):
        return [_loggable(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _loggable(item) for key, item in value.items()}
    if isinstance(value, str):
        return redacted(value)[:_TEXT_LIMIT]
    return value if value is None or isinstance(value, int | float) else f"<{type(value).__name__}>"
