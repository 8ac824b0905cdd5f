"""Read `ipamd.log` files of a node: plain, compressed, rotated and bundled files as one log, within fixed limits."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from cli.errors import CommandError
from cli.queries.node_log_bundle import decompressed, is_bundle, is_tar, logs_of
from lambdas.domain.diagnosis.node_log import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STDIN: Final = "-"
MAX_BYTES: Final = 1024**3
"""Bytes that are read at most, after decompression. The plug-in keeps six files of 100 MB.

Source: https://github.com/aws/amazon-vpc-cni-k8s/blob/b52188387f2e2f10bf289ace929d6a63b176a4fa/pkg/utils/logger/config.go
"""
_ROTATED: Final = re.compile(r"-(\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}\.\d{3})\.log(?:\.gz)?$")
"""The time of rotation in a file's name. Source: https://github.com/natefinch/lumberjack/blob/v2.0/lumberjack.go"""


@dataclass
class NodeLogFiles:
    """The lines of several files, rotated files first. `counts` are the lines of each file after the lines were iterated.

    A bundle of the EKS log collector counts as the logs in it, each with the name `bundle:path`.
    """

    names: Sequence[str]
    limit: int = MAX_BYTES
    counts: dict[str, int] = field(default_factory=dict)
    is_cut: bool = False

    def __iter__(self) -> Iterator[str]:
        """Iterate over the lines of all files.

        Raises:
            CommandError: a bundle has no log of the CNI, a file is damaged, or standard input is an archive.
            OSError: a file cannot be read.
        """
        remaining = self.limit
        for name, opened in sorted(_sources(self.names).items(), key=lambda source: _rotation(source[0])):
            self.counts[name] = 0
            for line, size in _lines(name, opened, remaining):
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


def _sources(names: Sequence[str]) -> dict[str, Callable[[], Iterator[IO[bytes]]]]:
    """Name -> how to open it, each once. A bundle is replaced by the logs in it."""
    found: dict[str, Callable[[], Iterator[IO[bytes]]]] = {}
    for name in names:
        if name != STDIN and is_bundle(Path(name)):
            found |= {f"{name}:{log.name}": log.open for log in logs_of(Path(name))}
        else:
            found[name] = partial(_opened, name)
    return found


def _lines(name: str, opened: Callable[[], Iterator[IO[bytes]]], limit: int) -> Iterator[tuple[str, int]]:
    try:
        for file in opened():
            yield from _cut_lines(name, file, limit)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CommandError(f"{name} is not a complete gzip file: {error}", next_step="copy the file again from the node") from error


def _opened(name: str) -> Iterator[IO[bytes]]:
    """Yield the open file once, decompressed."""
    with sys.stdin.buffer if name == STDIN else Path(name).open("rb") as file:
        yield decompressed(file)


def _cut_lines(name: str, file: IO[bytes], limit: int) -> Iterator[tuple[str, int]]:
    """Return lines with their sizes in bytes. The rest of a line that is longer than the domain examines is skipped, up to the limit."""
    is_first = True
    while raw := file.readline(4 * LONGEST_LINE + 1):
        if is_first and is_tar(raw):
            raise CommandError(f"{name} is a tar archive, which is read from a file only", next_step="save it to a file and give its name")
        is_first, size = False, len(raw)
        kept, last = raw, raw
        while size <= limit and not last.endswith(b"\n") and (last := file.readline(1 << 16)):
            size += len(last)
        yield kept.decode("utf-8", errors="replace").rstrip("\r\n"), size
