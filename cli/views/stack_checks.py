"""Result of `verify`: one line for each check, under the heading of its group, with reason and next step where it is not shown."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from rich.padding import Padding
from rich.text import Text

from lambdas.contract.self_test import Answer
from lambdas.contract.stack_checks import Group, anchor
from lambdas.domain.plurals import pluralize
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType

    from cli.queries.stack_verification.results import CheckResult

_MARKS: Final = {Answer.SHOWN: ("✓", "green"), Answer.REFUTED: ("✗", "bold red"), Answer.UNKNOWN: ("?", "yellow")}
_OFF: Final = ("–", "dim")
_SECOND_MS: Final = 1000
_ID_WIDTH: Final = 21
_SUBJECT_WIDTH: Final = 12
_TIME_WIDTH: Final = 7
_INDENT: Final = 4
UNPROVEN: Final = "No check repairs anything: `irsa-remediator verify --drill` does, on a throw-away ServiceAccount."


def stack_checks_view(results: Sequence[CheckResult], seconds: float) -> Iterator[RenderableType]:
    """Return the results by group, each cluster under its own heading, then the counts."""
    for heading, rows in _grouped(results).items():
        yield Text(heading, style="bold")
        yield from map(_Row, rows)
        yield Text()
    yield _summary(results, seconds)


def _grouped(results: Sequence[CheckResult]) -> dict[str, list[CheckResult]]:
    found: dict[str, list[CheckResult]] = {}
    for group in Group:
        for result in (result for result in results if result.declared.group is group):
            heading = f"Cluster {plain(result.cluster)}" if result.cluster else group.value
            found.setdefault(heading, []).append(result)
    return found


class _Row:
    """The lines of one result. A detail stands on the first line if it fits, else on the lines below."""

    def __init__(self, row: CheckResult) -> None:
        self._row = row

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Called by Rich."""
        row = self._row
        head, detail = self._head(), Text(plain(row.detail), style="dim" if row.answer is Answer.SHOWN or row.is_off else "")
        fits = _INDENT // 2 + head.cell_len + 2 + detail.cell_len <= options.max_width
        if detail and fits and row.answer is Answer.SHOWN:
            head.append("  ").append_text(detail)
        yield Padding(head, (0, 0, 0, _INDENT // 2))
        if detail and not (fits and row.answer is Answer.SHOWN):
            yield Padding(detail, (0, 0, 0, _INDENT))
        if row.advice and not row.is_off:
            text = Text("next: ", style="bold").append(plain(row.advice), style="not bold")
            yield Padding(text.append(f"  {anchor(row.check)}", style="not bold dim"), (0, 0, 0, _INDENT))

    def _head(self) -> Text:
        mark, style = _OFF if self._row.is_off else _MARKS[self._row.answer]
        name = f" {self._row.check.value:<{_ID_WIDTH}} {plain(self._row.subject):<{_SUBJECT_WIDTH}}"
        return Text.assemble((mark, style), name, (f"{_time(self._row.took_ms):>{_TIME_WIDTH}}", "dim"))


def _time(took_ms: int) -> str:
    if not took_ms:
        return ""
    return f"{took_ms / _SECOND_MS:.1f} s" if took_ms >= _SECOND_MS else f"{took_ms} ms"


def _summary(results: Sequence[CheckResult], seconds: float) -> Text:
    counts = Counter("off" if result.is_off else result.answer.value for result in results)
    parts = [f"{counts[answer.value]} {answer.value.replace('-', ' ')}" for answer in Answer]
    off = f", {pluralize(counts['off'], 'optional feature is', 'optional features are')} off" if counts["off"] else ""
    text = Text(f"{', '.join(parts)}{off}, in {seconds:.1f} s.")
    if counts[Answer.SHOWN] + counts["off"] == len(results):
        scope = " for the features that are on" if counts["off"] else ""
        return text.append(f"\nEvery check is shown{scope}. ", style="green").append(UNPROVEN, style="dim")
    return text
