"""Read `ipamd.log` files of a node: plain, compressed and rotated files as one log, within fixed limits."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from cli.errors import CommandError
from lambdas.domain.diagnosis.node_log import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STDIN: Final = "-"
MAX_BYTES: Final = 1024**3
"""Bytes that are read at most, after decompression. The plug-in keeps six files of 100 MB.

Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/utils/logger/config.go
"""
_ROTATED: Final = re.compile(r"-(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}\.\d{3})\.log(?:\.gz)?$")
"""The time of rotation in a file's name. Source: https://github.com/natefinch/lumberjack/blob/v2.0/lumberjack.go"""
_GZIP: Final = b"\x1f\x8b"
_TAR_OFFSET: Final = 257
_TAR: Final = b"ustar"


@dataclass
class NodeLogFiles:
    """The lines of several files, rotated files first. `counts` are the lines of each file after the lines were iterated."""

    names: Sequence[str]
    limit: int = MAX_BYTES
    counts: dict[str, int] = field(default_factory=dict)
    is_cut: bool = False

    def __post_init__(self) -> None:
        self.names = sorted(dict.fromkeys(self.names), key=_rotation)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the lines of all files.

        Raises:
            CommandError: a file is an archive, or its compression is damaged.
            OSError: a file cannot be read.
        """
        remaining = self.limit
        for name in self.names:
            self.counts[name] = 0
            for line, size in _lines(name, remaining):
                remaining -= size
                if remaining < 0:
                    self.is_cut = True
                    return
                self.counts[name] += 1
                yield line

    def place(self, line: int) -> tuple[str, int]:
        """Return the file of a line of the whole log, and the number of the line in this file."""
        for name, count in self.counts.items():
            if line <= count:
                return name, line
            line -= count
        raise ValueError(line)


def _rotation(name: str) -> str:
    """The current file has no time in its name and is the newest."""
    found = _ROTATED.search(name)
    return found[1] if found else "~"


def _lines(name: str, limit: int) -> Iterator[tuple[str, int]]:
    try:
        with _opened(name) as file:
            yield from _cut_lines(name, file, limit)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CommandError(f"{name} is not a complete gzip file: {error}", next_step="copy the file again from the node") from error


def _opened(name: str) -> IO[bytes]:
    file = sys.stdin.buffer if name == STDIN else Path(name).open("rb")  # noqa: SIM115  # the caller closes it
    is_compressed = file.peek(2)[:2] == _GZIP if hasattr(file, "peek") else False
    return gzip.GzipFile(fileobj=file) if is_compressed else file  # type: ignore[return-value]  # it reads bytes


def _cut_lines(name: str, file: IO[bytes], limit: int) -> Iterator[tuple[str, int]]:
    """Return lines with their sizes in bytes. The rest of a line that is longer than the domain examines is skipped, up to the limit."""
    is_first = True
    while raw := file.readline(4 * LONGEST_LINE + 1):
        if is_first and raw[_TAR_OFFSET:].startswith(_TAR):
            raise CommandError(f"{name} is a tar archive", next_step="extract it and give the file var_log/aws-routed-eni/ipamd.log")
        is_first, size = False, len(raw)
        kept, last = raw, raw
        while size <= limit and not last.endswith(b"\n") and (last := file.readline(1 << 16)):
            size += len(last)
        yield kept.decode("utf-8", errors="replace").rstrip("\r\n"), size
