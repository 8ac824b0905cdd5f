"""A table that fits the terminal without cutting a name: it stacks columns where the terminal is too narrow for one line a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

_GAP: Final = 2
_MOST_STACKED: Final = 3
_SENTENCE_WIDTH: Final = 24
"""Columns of the terminal that a sentence in a cell has at least."""
_LONGEST_WORD: Final = 48
"""A longer name, such as that of a cluster with up to 100 characters, is folded."""


@dataclass(frozen=True)
class Column:
    """One column: its header, its cells, and whether numbers are aligned on the right."""

    header: str
    cells: Sequence[Text]
    is_number: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no cell has a value."""
        return not any(cell.plain for cell in self.cells)


class AdaptiveTable:
    """A row is one line where names fit beside wrapped sentences, else two or three columns are stacked in one.

    `row_marks` are a narrow first column, which is never stacked.
    """

    def __init__(self, row_marks: Sequence[Text], columns: Iterable[Column]) -> None:
        self._marks = Column("", row_marks)
        self._columns = [column for column in columns if not column.is_empty]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        sizes = range(1, _MOST_STACKED + 1)
        size = next((size for size in sizes if self._width(size) <= options.max_width), _MOST_STACKED)
        yield self._table(self._stacked(size), options.max_width)

    def _stacked(self, size: int) -> list[Sequence[Column]]:
        groups: list[Sequence[Column]] = [self._columns[start : start + size] for start in range(0, len(self._columns), size)]
        return groups if self._marks.is_empty else [[self._marks], *groups]

    def _width(self, size: int) -> int:
        return sum(_wrapped_width(group) + _GAP for group in self._stacked(size)) - _GAP

    def _table(self, groups: Sequence[Sequence[Column]], max_width: int) -> Table:
        has_header = any(column.header for column in self._columns)
        table = Table(box=None, pad_edge=False, show_header=has_header, header_style="dim", padding=(0, _GAP, 0, 0))
        widths = _widths(groups, max_width)
        for group, width in zip(groups, widths, strict=True):
            table.add_column(
                "\n".join(column.header for column in group),
                overflow="fold",
                justify="right" if len(group) == 1 and group[0].is_number else "left",
                width=width,
            )
        for row in zip(*(column.cells for group in groups for column in group), strict=True):
            cells = iter(row)
            table.add_row(*(Text("\n").join(next(cells) for _ in group) for group in groups))
        return table


def _widths(groups: Sequence[Sequence[Column]], max_width: int) -> list[int]:
    """Return the width of each column: what its names need, and for its sentences a share of what remains.

    Where even the names do not fit, those of the widest column are folded.
    """
    widths = [_wrapped_width(group) for group in groups]
    wanted = [max(map(len, _lines(group))) for group in groups]
    left = max_width - sum(widths) - _GAP * (len(groups) - 1)
    if left < 0:
        widest = widths.index(max(widths))
        widths[widest] = max(1, widths[widest] + left)
        return widths
    for position, index in enumerate(sorted(range(len(groups)), key=lambda index: wanted[index] - widths[index])):
        added = min(wanted[index] - widths[index], left // (len(groups) - position))
        widths[index] += added
        left -= added
    return widths


def _wrapped_width(group: Sequence[Column]) -> int:
    """Return the width that the columns need where a sentence is wrapped, and a name is not."""
    return max(min(len(line), max(_longest_word(line), _SENTENCE_WIDTH)) for line in _lines(group))


def _lines(group: Sequence[Column]) -> Iterator[str]:
    for column in group:
        yield column.header
        for cell in column.cells:
            yield from cell.plain.splitlines()


def _longest_word(text: str) -> int:
    """Return the width of the longest word that is not folded."""
    return min(max(map(len, text.split()), default=0), _LONGEST_WORD)
