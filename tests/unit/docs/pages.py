"""The pages of the documentation, and the blocks between their fences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
PAGES: Final = tuple(sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("[!.]*/README.md")]))
"""Every page that people read: at the top, in `docs`, and the first page of a folder."""

_FENCE: Final = re.compile(r"^(?P<fence>`{3,})(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block: `before` is the text of the page up to it, since the last block."""

    page: Path
    language: str
    text: str
    before: str


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page in their order."""
    text, end = page.read_text(encoding="utf-8"), 0
    for found in _FENCE.finditer(text):
        yield Block(page=page, language=found["language"], text=found["text"], before=text[end : found.start()])
        end = found.end()


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def named(page: Path) -> str:
    """The page as a path of the repository."""
    return page.relative_to(ROOT).as_posix()
