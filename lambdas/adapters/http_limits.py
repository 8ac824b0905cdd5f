"""Limits of one HTTP response: the time until its last byte, its size on the wire, and its size after decompression."""

from __future__ import annotations

import io
import time
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from lambdas.domain.errors import PermanentError

if TYPE_CHECKING:
    from socket import SocketIO, socket

    from urllib3 import BaseHTTPResponse, HTTPSConnectionPool

RESPONSE_TIMEOUT_S: Final = 10.0
"""Maximum time from the request to the last byte of the response. A read time-out never ends a response of one byte every two seconds."""
_CHUNK: Final = 1 << 16
_GZIP: Final = 16 + zlib.MAX_WBITS


class ResponseTooLarge(PermanentError):
    """The response is larger than the client accepts."""


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a deadline."""

    def __init__(self, connection: socket, raw: SocketIO) -> None:
        super().__init__()
        self._connection, self._raw = connection, raw
        self._idle_s = connection.gettimeout() or RESPONSE_TIMEOUT_S
        self._deadline = time.monotonic() + RESPONSE_TIMEOUT_S

    def readable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """The number of bytes that were read.

        Raises:
            TimeoutError: no byte arrived, or the time for the whole response is over.
        """
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(f"the response was not complete after {RESPONSE_TIMEOUT_S:.0f} seconds")
        self._connection.settimeout(min(self._idle_s, left_s))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Close the socket's file."""
        self._raw.close()
        super().close()


@cache
def timed_pool() -> type[HTTPSConnectionPool]:
    """The class of a connection pool whose responses have a deadline. The first call loads urllib3."""
    import http.client

    from urllib3.connection import HTTPSConnection
    from urllib3.connectionpool import HTTPSConnectionPool

    class TimedResponse(http.client.HTTPResponse):
        """A response whose headers and body have one deadline together."""

        def __init__(self, sock: socket, *args: Any, **options: Any) -> None:
            super().__init__(sock, *args, **options)
            self.fp.close()
            self.fp = io.BufferedReader(_TimedReader(sock, sock.makefile("rb", buffering=0)))

    class TimedConnection(HTTPSConnection):
        response_class = TimedResponse

    class TimedPool(HTTPSConnectionPool):
        ConnectionCls = TimedConnection

    return TimedPool


def read_body(response: BaseHTTPResponse, most_bytes: int) -> bytes:
    """The body, decompressed if it is gzip, the only encoding that the client requests.

    Raises:
        ResponseTooLarge: the body has more than `most_bytes`, compressed or decompressed. The connection is closed.
        PermanentError: the body does not have the encoding of its header.
    """
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding not in ("gzip", "identity"):
        response.close()
        raise PermanentError(f"the response has the content encoding {encoding[:40]!r}, which was not requested")
    inflater = zlib.decompressobj(_GZIP) if encoding == "gzip" else None
    parts: list[bytes] = []
    wire_bytes = body_bytes = 0
    while chunk := response.read(_CHUNK, decode_content=False):
        wire_bytes += len(chunk)
        part = _inflated(inflater, chunk, most_bytes + 1 - body_bytes) if inflater else chunk
        body_bytes += len(part)
        if wire_bytes > most_bytes or body_bytes > most_bytes:
            response.close()
            raise ResponseTooLarge(f"the response has more than {most_bytes >> 20 or most_bytes} {'MiB' if most_bytes >> 20 else 'bytes'}")
        parts.append(part)
    if inflater and wire_bytes and not inflater.eof:
        raise PermanentError("the response is not a complete gzip stream")
    return b"".join(parts)


def _inflated(inflater: Any, chunk: bytes, most_bytes: int) -> bytes:
    try:
        part: bytes = inflater.decompress(chunk, most_bytes)
    except zlib.error as error:
        raise PermanentError("the response is not a gzip stream") from error
    return part
