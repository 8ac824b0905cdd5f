"""Structured log: one JSON object a line on standard output, where Lambda collects it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import orjson

_TEXT_LIMIT: Final = 2000


class Title(StrEnum):
    """What a line is about: the eight words of the pipeline, in their order."""

    EVENT = "event"
    REQUEST = "request"
    OBSERVATION = "observation"
    DIAGNOSIS = "diagnosis"
    PLAN = "plan"
    ACTIONS = "actions"
    PROOF = "proof"
    REPORT = "report"


class Level(StrEnum):
    """How loud a line is; Lambda filters by it where the function's log format is JSON.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


def write(title: str, message: str, *, level: Level = Level.INFO, **fields: Any) -> None:
    """Write one line. Fields are ids, counts and short texts: never tokens, whole objects or payloads, and each text is cut."""
    line = {"timestamp": datetime.now(UTC), "level": level, "title": title, "message": message, **fields}
    emit({name: value[:_TEXT_LIMIT] if isinstance(value, str) else value for name, value in line.items()})


def emit(line: dict[str, Any]) -> None:
    """One JSON object on one line. What is no plain data is told by its type alone, so that no object's insides leak."""
    text = orjson.dumps(
        line, default=lambda it: f"<{type(it).__name__}>", option=orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS
    )
    sys.stdout.write(text.decode() + "\n")
    sys.stdout.flush()
