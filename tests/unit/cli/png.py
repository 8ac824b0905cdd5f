"""Read the colors of a PNG screenshot.

Source: https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def colors(file: Path) -> Counter[str]:
    """Return the number of pixels of each color, as `#rrggbb`. Supports eight bits a channel, not interlaced, as browsers write it."""
    width, channels, rows = _read(file.read_bytes())
    found: Counter[str] = Counter()
    for row in rows:
        found.update(row[i * channels : i * channels + 3].hex() for i in range(width))
    return Counter({f"#{name}": count for name, count in found.items()})


def _read(data: bytes) -> tuple[int, int, Iterator[bytes]]:
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    packed, at, width, channels = b"", 8, 0, 0
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, _, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", body)
            assert (depth, interlaced) == (8, 0)
            channels = {2: 3, 6: 4}[color]
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    return width, channels, _unfiltered(zlib.decompress(packed), width * channels, channels)


def _unfiltered(raw: bytes, length: int, step: int) -> Iterator[bytes]:
    above = bytearray(length)
    for start in range(0, len(raw), length + 1):
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + length])
        if kind:
            for i in range(length):
                left, corner = (row[i - step], above[i - step]) if i >= step else (0, 0)
                row[i] = (row[i] + _predicted(kind, left, above[i], corner)) & 255
        yield bytes(row)
        above = row


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 4:
        guess = left + above - corner
        return min((abs(guess - left), 0, left), (abs(guess - above), 1, above), (abs(guess - corner), 2, corner))[2]
    return {1: left, 2: above, 3: (left + above) // 2}[kind]
