"""Files as text: their encodings, and the mistakes that people make with them."""

import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import Final

from preflight.finding import MalformedFile

STDIN: Final = "-"
_ENCODINGS: Final = {BOM_UTF8: "utf-8-sig", BOM_UTF16_LE: "utf-16", BOM_UTF16_BE: "utf-16"}
"""By their first bytes: PowerShell's `>` writes UTF-16."""
_ZIP: Final = b"PK\x03\x04"


def text_of(path: str) -> str:
    """The whole file, `-` for standard input.

    Raises:
        MalformedFile: it cannot be opened, or holds no text.
    """
    try:
        raw = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise MalformedFile(f"{name_of(path)} cannot be read: {error.strerror or error}") from error
    return decoded(raw, name_of(path))


def name_of(path: str) -> str:
    """What the file is called in messages."""
    return "stdin" if path == STDIN else path


def decoded(raw: bytes, file: str) -> str:
    """The text of these bytes.

    Raises:
        MalformedFile: they are no text in an encoding that is known.
    """
    if raw.startswith(_ZIP):
        raise MalformedFile(f"{file} is a saved plan, not its JSON: run `terraform show -json {file} > plan.json` and give that")
    encoding = next((item for mark, item in _ENCODINGS.items() if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise MalformedFile(f"{file} is no {encoding.upper()} text: byte {error.start + 1} does not belong there") from error
