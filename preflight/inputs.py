"""Input files: by name, in folders and by globs, with their encodings and their kind."""

import glob
import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from preflight.finding import MalformedFile
from preflight.formats import FORMATS, intended_kind, kind_of
from preflight.run import InputFile

STDIN: Final = "-"
_ENCODINGS: Final = {
    BOM_UTF8: "utf-8-sig",
    BOM_UTF32_LE: "utf-32",  # begins with the mark of UTF-16
    BOM_UTF32_BE: "utf-32",
    BOM_UTF16_LE: "utf-16",
    BOM_UTF16_BE: "utf-16",
}
"""Encodings by their first bytes: PowerShell's `>` writes UTF-16."""
_ZIP: Final = b"PK\x03\x04"
_SUFFIXES: Final = (".json", ".yaml", ".yml", ".template")
_SKIPPED: Final = frozenset({".git", ".terraform", "node_modules", ".venv", "__pycache__"})


def read_inputs(files: Sequence[tuple[str, str]]) -> Iterator[InputFile]:
    """Return the files that are given as (kind, path). A file that cannot be read keeps the reason."""
    for kind, path in files:
        yield _input(kind, path)


def discover(paths: Sequence[str], *, skip_unknown: bool = False) -> Iterator[InputFile]:
    """Return the files that paths, folders and globs name, with the kind of each.

    In folders, files of other kinds are skipped. A file that is named itself and is of no known kind keeps the reason, unless
    `skip_unknown` is set.
    """
    for given in paths:
        for path, is_named in _expand(given):
            entry = _input("", path)
            kind = (kind_of(entry.text) or (intended_kind(entry.text) if is_named else None)) if not entry.error else None
            if kind:
                yield InputFile(kind=kind, name=entry.name, text=entry.text)
            elif is_named and (entry.error or not skip_unknown):
                kinds = ", ".join(FORMATS)
                reason = entry.error or f"{entry.name} is of no kind that preflight reads ({kinds})"
                yield InputFile(kind="unknown", name=entry.name, error=reason)


def _expand(given: str) -> Iterator[tuple[str, bool]]:
    """Return the files of one path, each with whether it is named itself."""
    if given == STDIN:
        yield given, True
    elif Path(given).is_dir():
        yield from ((path, False) for path in _in_folder(Path(given)))
    elif glob.has_magic(given) and not Path(given).exists():
        found = sorted(path for path in glob.glob(given, recursive=True) if Path(path).is_file())  # noqa: PTH207  # ** relative to here
        yield from ((path, False) for path in found)
    else:
        yield given, True


def _in_folder(folder: Path) -> Iterable[str]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in _SUFFIXES and path.is_file() and not _SKIPPED & set(path.parts):
            yield str(path)


def _input(kind: str, path: str) -> InputFile:
    name = name_of(path)
    try:
        return InputFile(kind=kind, name=name, text=text_of(path))
    except MalformedFile as error:
        return InputFile(kind=kind, name=name, error=str(error))


def text_of(path: str) -> str:
    """Return the text of a file, or of standard input for `-`.

    Raises:
        MalformedFile: it cannot be opened, or holds no text.
    """
    try:
        raw = sys.stdin.buffer.read() if path == STDIN else Path(path).read_bytes()
    except OSError as error:
        raise MalformedFile(f"{name_of(path)} cannot be read: {error.strerror or error}") from error
    return decoded(raw, name_of(path))


def name_of(path: str) -> str:
    """Return the name of the file in messages."""
    return "stdin" if path == STDIN else path


def decoded(raw: bytes, file: str) -> str:
    """Return the text of these bytes.

    Raises:
        MalformedFile: the bytes are a saved plan, or no text in a known encoding.
    """
    if raw.startswith(_ZIP):
        plan = "PLANFILE" if file == "stdin" else file
        raise MalformedFile(f"{file} is a saved plan, not its JSON: run `terraform show -json {plan} > plan.json` and give plan.json")
    encoding = next((name for mark, name in _ENCODINGS.items() if raw.startswith(mark)), _encoding_without_mark(raw))
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise MalformedFile(f"{file} is no {encoding.upper()} text: byte {error.start + 1} is not valid") from error


def _encoding_without_mark(raw: bytes) -> str:
    """Every format begins with an ASCII character, which has a zero byte beside it in UTF-16."""
    first, second = (raw[:2] + b"  ")[:2]
    return "utf-16-le" if not second else "utf-16-be" if not first else "utf-8"
