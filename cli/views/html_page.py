"""A self-contained HTML page: no script, no external resource, and every value escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from cli.views.page_style import STYLE
from lambdas.notifications.escape import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LONGEST_WORD: Final = 30
CONTENT_SECURITY_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(value: object) -> str:
    """Return a value as escaped text on one line."""
    return escape(plain(value), quote=True)


def unbroken(text: str) -> str:
    """Return text whose short words are not broken at a hyphen or digit, such as account numbers and options of a command."""
    words = (f'<span class="unbroken">{to_html(word)}</span>' if len(word) <= _LONGEST_WORD else to_html(word) for word in text.split())
    return " ".join(words)


def html_page(title: str, body: Iterable[str], *, is_wide: bool = False) -> str:
    """Return the page. `body` is HTML."""
    main = '<main class="wide">' if is_wide else "<main>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}"><title>{to_html(title)}</title>'
        f"<style>{STYLE}</style></head><body>{main}{''.join(body)}</main></body></html>\n"
    )


def html_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose rows become cards on a narrow screen. Cells are HTML."""
    head = "".join(f'<th scope="col">{to_html(header)}</th>' for header in headers)
    lines = "".join(f"<tr>{_cells(headers, row)}</tr>" for row in rows)
    return f'<div class="table"><table class="cards"><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>'


def _cells(headers: Sequence[str], row: Sequence[str]) -> str:
    pairs = zip(headers, row, strict=True)
    return "".join(
        f'<td data-label="{to_html(header)}"><div>{cell}</div></td>' if cell else '<td class="empty"></td>' for header, cell in pairs
    )
