"""Where results go: tables for people on standard output, JSON or YAML for programs, progress on standard error."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import nullcontext
from typing import IO, TYPE_CHECKING, Any, Final, cast

from cli.asked import Format

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console, RenderableType

SCHEMA_VERSION: Final = "1"
"""Fields may be added within a version; one that changes its meaning or goes away makes the next."""
PIPED_WIDTH: Final = 160
"""Columns where there is no terminal to ask: wide enough that `grep` finds a sentence on its line."""


def console() -> Console:
    """Standard output. Rich leaves colours out where it is piped or NO_COLOR is set."""
    from rich.console import Console

    free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(file=cast("IO[str]", _Trimmed(sys.stdout)), highlight=False, markup=False, width=PIPED_WIDTH if free else None)


class _Trimmed:
    """A stream without the spaces by which tables fill their lines: a command's backslash has to be the last of its line to be copied."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(_FILLING.sub(r"\1\n", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_FILLING: Final = re.compile(r" +((?:\x1b\[[0-9;]*m)*)\n")


def console_for_errors() -> Console:
    """Standard error: sentences and progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False)


def progress(what: str) -> AbstractContextManager[Any]:
    """A spinner while something lasts, on a terminal alone."""
    shown = console_for_errors()
    return shown.status(what) if shown.is_terminal else nullcontext()


def write(form: Format, document: dict[str, Any], *views: RenderableType) -> None:
    """The document for a program, or the views for a person."""
    if form is Format.TABLE:
        shown = console()
        for view in views:
            shown.print(view, crop=False)  # what is to be copied is longer than a line, and must be whole
        return
    text = json.dumps({"schemaVersion": SCHEMA_VERSION, **document}, indent=2, ensure_ascii=False)
    sys.stdout.write(_yaml(json.loads(text)) if form is Format.YAML else text + "\n")


def _yaml(document: dict[str, Any]) -> str:
    import yaml

    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=10_000)
    return text
