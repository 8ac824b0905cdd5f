"""Phrases: our own words with places for values. A value is escaped where it enters, by the style of the channel, and nowhere else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lambdas.notifications import escape

LONGEST_VALUE: Final = 500
"""Characters of one value within a sentence; beyond that nobody reads on."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How one channel takes values: as words, as something to copy, and as a block of lines."""

    words: Callable[[object], str]
    code: Callable[[object], str]
    block: Callable[[Sequence[str]], str]


def _code_span(value: object) -> str:
    text = escape.chat_code(value)
    return f"`{text}`" if text else ""


def _code_block(lines: Sequence[str]) -> str:
    return "\n".join(("```", *map(escape.chat_line, lines), "```"))


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"    {escape.line(line)}".rstrip() for line in lines)


CHAT: Final = Style(words=escape.chat, code=_code_span, block=_code_block)
PLAIN: Final = Style(words=escape.plain, code=escape.plain, block=_indented)


@dataclass(frozen=True)
class Code:
    """A value to copy: a command, an ARN, a line of a file. It is never cut, since half a command is worse than none."""

    text: str


@dataclass(frozen=True)
class Link:
    """An address of ours to follow."""

    url: str


@dataclass(frozen=True)
class Block:
    """Lines to copy or compare."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Phrase:
    """A template of ours and its values."""

    template: str
    values: Mapping[str, object]

    def render(self, style: Style) -> str:
        """The text for one channel."""
        return self.template.format_map({name: _enter(value, style) for name, value in self.values.items()})


def _enter(value: object, style: Style) -> str:
    match value:
        case Phrase():
            return value.render(style)
        case Code(text):
            return style.code(text)
        case Link(url):
            return escape.chat_code(url)
        case Block(lines):
            return style.block(lines)
    return style.words(cut(str(value), LONGEST_VALUE))


def say(template: str, **values: object) -> Phrase:
    """A phrase: `{name}` in the template is filled with the value of that name, escaped; a `Phrase` fills as it is."""
    return Phrase(template, values)


def join(parts: Sequence[Phrase], separator: str) -> Phrase:
    """Phrases one after another."""
    names = [f"part{i}" for i in range(len(parts))]
    return Phrase(separator.join(f"{{{name}}}" for name in names), dict(zip(names, parts, strict=True)))


def cut(text: str, longest: int) -> str:
    """The text, ended by an ellipsis where it is longer."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def sentence(text: str) -> str:
    """Begin with a capital and end with a stop, whatever the words were taken from. Names in lower case keep their letters."""
    words = text.strip()
    ended = words if words.endswith((".", "!", "?", "…", ":")) else f"{words}."
    first = words.split(" ", 1)[0]
    return ended[:1].upper() + ended[1:] if first.isalpha() else ended
