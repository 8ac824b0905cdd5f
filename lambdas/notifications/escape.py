"""Make a value from outside harmless in a message: names, node messages, events and parameters may hold whatever their writers like."""

import re
import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories that draw nothing or turn the text around: controls, bidi marks, lone surrogates, private use, line separators."""

_SIGNS: Final = str.maketrans({"<": "‹", ">": "›", "`": "ˋ"})
"""Slack reads `<!channel>`, `<@U1>` and `<url|words>`, Teams reads tags; neither reads these signs, and no entity has to be decoded."""
_MARKUP: Final = str.maketrans({"*": "∗", "~": "∼"})
_EDGE_UNDERSCORE: Final = re.compile(r"(?<![A-Za-z0-9_])_+(?=\S)|(?<=\S)_+(?![A-Za-z0-9_])", re.ASCII)
_MENTION: Final = re.compile(r"(?<![A-Za-z0-9])@")


def plain(value: object) -> str:
    """One line of visible characters: for mail, pagers and terminals."""
    return " ".join(line(value).split())


def line(value: object) -> str:
    """The same with every space kept, for lines of a document."""
    text = str(value)
    if not text.isprintable():  # nearly all of it is, and a repair writes thousands of lines
        text = "".join(" " if item.isspace() else item for item in text if item.isspace() or unicodedata.category(item) not in _UNSEEN)
    return text.rstrip()


def chat(value: object) -> str:
    """The same for a chat: no mention, no link, no mark-up. An address such as `jane@example.com` stays."""
    text = chat_code(value).translate(_MARKUP).replace("://", ":⧸⧸").replace("](", "] (")
    return _EDGE_UNDERSCORE.sub(lambda item: "ˍ" * len(item[0]), text)


def chat_code(value: object) -> str:
    """The same for a code span, where mark-up does not count: commands and ARNs stay as they are to be copied."""
    return chat_line(plain(value))


def chat_line(value: object) -> str:
    """The same with every space kept."""
    return _MENTION.sub("＠", line(value).translate(_SIGNS))


def ascii_line(value: object, longest: int) -> str:
    """Printable ASCII, cut to a length: what SNS allows in a subject.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    text = plain(value).translate(_SPELT)
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    text = " ".join("".join(item for item in text if item.isprintable()).split())
    return text if len(text) <= longest else text[: longest - 3].rstrip() + "..."


_SPELT: Final = str.maketrans({"·": "-", "…": "...", "→": "->", "’": "'", "‹": "<", "›": ">"})
