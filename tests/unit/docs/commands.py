"""Finds the commands in the documentation, in fenced blocks and inline code."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.unit.docs.pages import PAGES, blocks, named, prose

TOOLS: Final = ("make", "irsa-remediator", "aws", "kubectl", "cdk", "uv", "uvx", "pipx", "git", "sha256sum", ".venv/bin/python", "python")
_SHELL: Final = ("", "sh", "bash", "console", "shell")
_SPAN: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_INNER: Final = re.compile(r"\$\(([^()]*)\)")
_SPLIT: Final = re.compile(r"\s*(?:&&|\|\||;|\|)\s*(?:do\s+)?")


@dataclass(frozen=True)
class Command:
    """One command as words, without variable assignments before it."""

    page: Path
    words: tuple[str, ...]

    @property
    def tool(self) -> str:
        return self.words[0]

    def __str__(self) -> str:
        return f"{named(self.page)}: {' '.join(self.words)[:70]}"


def commands() -> list[Command]:
    """Return the distinct commands of each page."""
    found = (Command(page, words) for page in PAGES for line in _lines(page) for words in _commands(line))
    return sorted(dict.fromkeys(found), key=str)


def _lines(page: Path) -> Iterator[str]:
    for block in blocks(page):
        if block.language in _SHELL:
            yield from block.text.replace("\\\n", " ").splitlines()
    yield from _SPAN.findall(prose(page))


def _commands(line: str) -> Iterator[tuple[str, ...]]:
    for inner in _INNER.findall(line):
        yield from _commands(inner)
    for part in _SPLIT.split(_INNER.sub("X", line).strip().removeprefix("$ ")):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:  # text with an apostrophe, or YAML
            continue
        while words and re.fullmatch(r"[A-Z][A-Z_]*=.*", words[0]):
            words.pop(0)
        if len(words) > 1 and words[0] in TOOLS and words[1] != "...":
            yield tuple(words)
