"""Write results: tables to standard output for people, JSON or YAML for programs, progress to standard error."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections import Counter
from contextlib import nullcontext
from enum import StrEnum
from itertools import accumulate, chain
from threading import Lock
from typing import IO, TYPE_CHECKING, Any, Final, Self, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import AbstractContextManager

    from rich.console import Console, RenderableType

Item = TypeVar("Item")
Answer = TypeVar("Answer")
SCHEMA_VERSION: Final = "1"
"""A version may gain fields. A field that is removed or changes its meaning makes the next version."""
PIPED_WIDTH: Final = 160
"""Columns where standard output is not a terminal: wide enough that `grep` finds a sentence on one line."""


class Format(StrEnum):
    """How results are written: `table` for people, the others for programs. `docs/cli.md` documents them."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def console() -> Console:
    """Return a console for standard output. Rich omits colors where output is piped or NO_COLOR is set."""
    from cli.safe_console import SafeConsole

    return SafeConsole(
        file=cast("IO[str]", _TrimmedStream(sys.stdout)), highlight=False, markup=False, width=PIPED_WIDTH if _is_piped() else None
    )


def _is_piped() -> bool:
    """Return whether no terminal shows standard output, and no width is asked for."""
    return not sys.stdout.isatty() and "COLUMNS" not in os.environ


class _TrimmedStream:
    """A stream without trailing spaces: a command can be copied only if its backslash is the last character of the line."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(_TRAILING_SPACES.sub(r"\1\n", text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_TRAILING_SPACES: Final = re.compile(r" +((?:\x1b\[[0-9;]*m)*)\n")


def error_console() -> Console:
    """Return a console for standard error: errors, questions and progress."""
    from cli.safe_console import SafeConsole

    return SafeConsole(stderr=True, highlight=False, markup=False)


def is_interactive() -> bool:
    """Return whether a person can answer questions at the prompt."""
    return sys.stdin.isatty()


def confirm(question: str) -> bool:
    """Ask a question on standard error, and return whether the answer is yes. A long question is wrapped between words."""
    import typer

    terminal = error_console()
    *above, last = wrapped(f"{question}\u00a0[y/N]:", width=terminal.width - 2, indent=0).splitlines()
    for line in above:
        terminal.print(line, soft_wrap=True)
    return typer.confirm(last.removesuffix("\u00a0[y/N]:"), err=True)


def progress(text: str) -> AbstractContextManager[Any]:
    """Show a spinner while the block runs. Nothing is shown where standard error is not a terminal."""
    console = error_console()
    return console.status(text) if console.is_terminal else nullcontext()


class CountingBar:
    """A progress bar with counts by state, such as `checking 12/51 · 2 broken`. Silent where standard error is not a terminal."""

    def __init__(self, text: str, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        console = error_console()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[counts]}"),
        )
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task(text, total=total, counts="")
        self._counts: Counter[str] = Counter()
        self._lock = Lock()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, state: str = "") -> None:
        """Count one that is done, with its state."""
        with self._lock:
            self._counts.update([state] if state else [])
            counts = " · ".join(f"{count} {name}" for name, count in self._counts.items())
            self._progress.update(self._task, advance=1, counts=counts)


def counted(
    text: str,
    items: Sequence[Item],
    do: Callable[[Item], Answer],
    pool: ThreadPoolExecutor,
    *,
    state: Callable[[Answer], str] = lambda _: "",
) -> list[Answer]:
    """Return the answers in the order of the items. They are done in parallel, and a progress bar counts them by state."""
    with CountingBar(text, len(items)) as bar:

        def one(item: Item) -> Answer:
            answer = do(item)
            bar.advance(state(answer))
            return answer

        return list(pool.map(one, items))


def write(form: Format, document: dict[str, Any], *views: RenderableType) -> None:
    """Write the document for a program, or the views for a person."""
    if form is Format.TABLE:
        table_console = console()
        for view in views:
            table_console.print(view, crop=False)  # commands to copy are longer than a line and must stay whole
        return
    text = to_json({"schemaVersion": SCHEMA_VERSION, **document})
    sys.stdout.write(_yaml(json.loads(text)) if form is Format.YAML else text + "\n")


_VERBATIM: Final = re.compile(r"\b(?:irsa-remediator|aws|kubectl) [a-z]|https?://|^ .*[={}\"\[\]]")
"""Lines to copy from: commands, addresses, and indented lines with code."""
_CODE_AT_END: Final = re.compile(
    r"(?P<prose>(?P<item> +\d+\. ).+?:) (?P<code>(?:irsa-remediator|aws|kubectl) [a-z].*|[\w.:/\"-]+(?: =|:) .+)"
)
"""A numbered item that ends with a command, or with a line of Terraform, YAML or a template."""
_ITEM: Final = re.compile(r" +(?:\d+\. |\+)?")


def wrapped(text: str, *, width: int, indent: int) -> str:
    """Return a line that is wrapped between words, with its further lines indented. No name is cut."""
    return textwrap.fill(text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def write_message(text: str) -> None:
    """Write the text of a notification. Prose is wrapped between words; a line to copy from, and any line in a pipe, stays whole.

    Code at the end of a longer item gets a line of its own.
    """
    _write_lines(chain.from_iterable(map(_with_code_apart, text.splitlines())))


def _with_code_apart(line: str) -> Iterable[tuple[str, bool]]:
    found = None if _is_piped() or len(line) <= console().width else _CODE_AT_END.match(line)
    if found is None:
        return [(line, bool(_VERBATIM.search(line)))]
    return [(found["prose"], False), (" " * (len(found["item"])) + found["code"], True)]


def write_page(text: str) -> None:
    """Write a page in Markdown. Prose is wrapped between words; a line of a fenced block, and any line in a pipe, stays whole."""
    lines = text.splitlines()
    fences = accumulate(line.startswith("```") for line in lines)
    _write_lines((line, bool(number % 2) or line.startswith("```")) for line, number in zip(lines, fences, strict=True))


def _write_lines(lines: Iterable[tuple[str, bool]]) -> None:
    """Write lines; the flag says that one stays whole."""
    from rich.text import Text

    table_console = console()
    for line, is_whole in lines:
        item = _ITEM.match(line)
        shown = line if is_whole or _is_piped() else wrapped(line, width=table_console.width, indent=item.end() if item else 0)
        table_console.print(Text(shown), soft_wrap=True)


def to_json(document: dict[str, Any]) -> str:
    """Return the document as indented JSON. Characters without a glyph are escaped, so that no value controls a terminal."""
    from lambdas.notifications.escape import json_escaped

    return json_escaped(json.dumps(document, indent=2, ensure_ascii=False))


def _yaml(document: dict[str, Any]) -> str:
    """Return the document as YAML. Texts with characters without a glyph are quoted, and those characters are escaped."""
    import yaml

    from lambdas.notifications.escape import is_yaml_plain, yaml_escaped

    class Dumper(yaml.SafeDumper):
        pass

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_yaml_plain(text) else '"')

    Dumper.add_representer(str, represent)
    text: str = yaml.dump(document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    return yaml_escaped(text)
