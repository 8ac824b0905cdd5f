"""Escaping of values in messages. Names, node messages, events and parameters can contain any text."""

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Final

from lambdas.contract.partitions import DNS_SUFFIXES
from lambdas.domain.redaction import redacted

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode categories without a glyph: controls, bidi marks, lone surrogates, private use, line separators."""

_SIGNS: Final = str.maketrans({"<": "‹", ">": "›", "`": "ˋ"})
"""Slack interprets `<!channel>`, `<@U1>` and `<url|text>`, Teams interprets tags. Neither interprets these look-alikes."""
_MARKUP: Final = str.maketrans({"*": "∗", "~": "∼"})
# The patterns below end after a time that grows with the length of the text alone: a run of characters is not searched from each of them.
_EDGE_UNDERSCORE: Final = re.compile(r"(?<![A-Za-z0-9_])_+(?=\S)|(?<=\S)(?:(?<!_)_++|_)(?![A-Za-z0-9_])", re.ASCII)
_SCHEME: Final = re.compile(r"(?<!\w)(mailto|tel|sms|data|javascript):(?=\S)", re.IGNORECASE)
_DOMAIN: Final = re.compile(
    r"(?<![\w@-])(?<![\w-]\.)(?![\w.-]{1,64}@)(?:[\w-]{1,63}\.)+(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?![\w-])", re.IGNORECASE
)
"""A host name, which chats turn into a link even without a scheme. A mail address, with up to 64 characters before the sign, is not one.

Source: https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.1
"""
_KNOWN_HOSTS: Final = (
    *dict.fromkeys(f".{suffix}" for suffix in DNS_SUFFIXES.values()),
    ".amazon.com",
    ".internal",
    ".local",
    ".k8s.io",
    ".kubernetes.io",
)
"""Hosts of AWS, Kubernetes and nodes, which stay as they are, for copying."""
_JOB_COMMAND: Final = re.compile(
    r"##(?=\[|vso\[|teamcity\[)|::(?=(?:error|warning|notice|debug|group|endgroup|add-mask|add-matcher|remove-matcher|add-path|set-env"
    r"|set-output|save-state|stop-commands|echo|internal-set-repo-path)\b)",
    re.IGNORECASE,
)
"""The two characters with which a command to the runner of a job begins, where a job prints a text to its log.

Sources: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands,
https://learn.microsoft.com/en-us/azure/devops/pipelines/scripts/logging-commands,
https://github.com/actions/runner/blob/main/src/Runner.Common/ActionCommand.cs (`##[` anywhere in a line),
https://www.jetbrains.com/help/teamcity/service-messages.html
"""
_MENTION: Final = re.compile(r"(?<![A-Za-z0-9])@")


def plain(value: object) -> str:
    """One line of visible characters: for mail, pagers and terminals."""
    return " ".join(line(value).split())


def line(value: object) -> str:
    """One line of visible characters that keeps every space, without credentials: for lines of a document."""
    text = redacted(str(value))
    if not text.isprintable():  # nearly every text is printable, and a repair writes thousands of lines
        text = "".join(" " if char.isspace() else char for char in text if char.isspace() or unicodedata.category(char) not in _INVISIBLE)
    return text.rstrip()


def visible(text: str) -> str:
    """The visible characters of a text of several lines; other white space becomes a space."""
    return _replaced(text, lambda char: " " if char.isspace() else "")


def terminal(text: str) -> str:
    """The visible characters of a text for a terminal or the log of a job, without commands to the job's runner."""
    return _JOB_COMMAND.sub(lambda found: " ".join(found[0]), visible(text))


def json_escaped(document: str) -> str:
    """A JSON document in which characters without a glyph and commands to a job's runner are escaped. They occur in strings only."""
    text = _replaced(document, lambda char: json.dumps(char)[1:-1])
    return _JOB_COMMAND.sub(lambda found: f"{found[0][0]}\\u{ord(found[0][1]):04x}", text)


def is_yaml_plain(text: str) -> bool:
    """Whether YAML may write the text without quotes or over several lines."""
    return text.replace("\n", "").isprintable() and not _JOB_COMMAND.search(text)


def yaml_escaped(document: str) -> str:
    """A YAML document, escaped as JSON is. Each text that is not `is_yaml_plain` must be in double quotes."""
    text = _replaced(document, lambda char: f"\\U{ord(char):08X}")
    return _JOB_COMMAND.sub(lambda found: f"{found[0][0]}\\x{ord(found[0][1]):02x}", text)


def xml_escaped(document: str) -> str:
    """An XML document in which characters without a glyph and commands to a job's runner are character references."""
    text = _replaced(document, lambda char: f"&#{ord(char)};")
    return _JOB_COMMAND.sub(lambda found: f"{found[0][0]}&#{ord(found[0][1])};", text)


def _replaced(text: str, replacement: Callable[[str], str]) -> str:
    if text.replace("\n", "").isprintable():
        return text
    return "".join(replacement(char) if char != "\n" and unicodedata.category(char) in _INVISIBLE else char for char in text)


def chat(value: object) -> str:
    """One line for a chat, without mentions, links and markup. An address such as `jane@example.com` is unchanged."""
    text = chat_code(value).translate(_MARKUP).replace("://", ":⧸⧸").replace("](", "] (")
    text = _DOMAIN.sub(_unlinked, _SCHEME.sub("\\1：", text))
    return _EDGE_UNDERSCORE.sub(lambda match: "ˍ" * len(match[0]), text)


def _unlinked(match: re.Match[str]) -> str:
    host = match[0]
    if host.lower().endswith(_KNOWN_HOSTS):
        return host
    name, _, domain = host.rpartition(".")
    return f"{name}․{domain}"


def chat_code(value: object) -> str:
    """One line for a code span in a chat, where markup has no effect: commands and ARNs stay unchanged for copying."""
    return chat_line(plain(value))


def chat_line(value: object) -> str:
    """One line for a code block in a chat, with every space."""
    return _MENTION.sub("＠", line(value).translate(_SIGNS))


def ascii_line(value: object, longest: int) -> str:
    """Printable ASCII, cut to a length: the characters that SNS allows in a subject.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """
    text = plain(value).translate(_ASCII_FORMS)
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    text = " ".join("".join(char for char in text if char.isprintable()).split())
    return text if len(text) <= longest else text[: longest - 3].rstrip() + "..."


_ASCII_FORMS: Final = str.maketrans({"·": "-", "…": "...", "→": "->", "’": "'", "‹": "<", "›": ">"})
