"""Phrases: templates with values. Each channel escapes a value where the value enters the template."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lambdas.notifications import escape

LONGEST_VALUE: Final = 500
"""Maximum characters of one value in a sentence; a longer value makes the sentence unreadable."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """The markup of one channel: for text, for a value to copy, and for a block of lines."""

    text: Callable[[object], str]
    code: Callable[[object], str]
    block: Callable[[Sequence[str]], str]


def _code_span(value: object) -> str:
    text = escape.chat_code(value)
    return f"`{text}`" if text else ""


def _code_block(lines: Sequence[str]) -> str:
    return "\n".join(("```", *map(escape.chat_line, lines), "```"))


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"    {escape.line(line)}".rstrip() for line in lines)


CHAT: Final = Style(text=escape.chat, code=_code_span, block=_code_block)
PLAIN: Final = Style(text=escape.plain, code=escape.plain, block=_indented)


@dataclass(frozen=True)
class Code:
    """A value to copy: a command, an ARN, a line of a file. It is never cut, because a cut command does not work."""

    text: str


@dataclass(frozen=True)
class Link:
    """An address of this project. It is not escaped, so that clients make it clickable."""

    url: str


@dataclass(frozen=True)
class Block:
    """Lines to copy or compare."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Phrase:
    """A template and its values."""

    template: str
    values: Mapping[str, object]

    def render(self, style: Style) -> str:
        """The text for one channel."""
        return self.template.format_map({name: _rendered(value, style) for name, value in self.values.items()})


def _rendered(value: object, style: Style) -> str:
    match value:
        case Phrase():
            return value.render(style)
        case Code(text):
            return style.code(text)
        case Link(url):
            return escape.chat_code(url)
        case Block(lines):
            return style.block(lines)
    return style.text(cut(str(value), LONGEST_VALUE))


def phrase(template: str, **values: object) -> Phrase:
    """A phrase: each `{name}` in the template takes the value of that name, escaped. A `Phrase` as value is rendered."""
    return Phrase(template, values)


def join(parts: Sequence[Phrase | str], separator: str) -> Phrase:
    """Phrases and texts in one phrase, separated."""
    names = [f"part{i}" for i in range(len(parts))]
    return Phrase(separator.join(f"{{{name}}}" for name in names), dict(zip(names, parts, strict=True)))


def cut(text: str, longest: int) -> str:
    """The text, ended by an ellipsis where it is longer."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def sentence(text: str) -> str:
    """The text with a capital and a full stop. A first word that is a name, such as `aws-node`, keeps its letters."""
    stripped = text.strip()
    ended = stripped if stripped.endswith((".", "!", "?", "…", ":")) else f"{stripped}."
    return ended[:1].upper() + ended[1:] if stripped.split(" ", 1)[0].isalpha() else ended
