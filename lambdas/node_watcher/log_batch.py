"""One batch of a CloudWatch Logs subscription, decompressed piece by piece, so that memory does not grow with the batch.

The event is `{"awslogs": {"data": "<base64 of gzip of JSON>"}}`; the JSON is

    {"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/aws/eks/prod-blue/cluster",
     "logStream": "kube-apiserver-audit-6f2b…", "subscriptionFilters": ["…"],
     "logEvents": [{"id": "…", "timestamp": 1790543207355, "message": "{\\"kind\\":\\"Event\\",…}"}, …]}

without white space. CloudWatch Logs sends `CONTROL_MESSAGE` instead of `DATA_MESSAGE` to test the destination.
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample
"""

import zlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lambdas.domain.errors import MalformedEvent
from lambdas.domain.untrusted_json import text

JsonParser = Callable[[bytes | str], Any]

_EVENTS: Final = b'"logEvents":['
# Inside a JSON string, a backslash precedes each quotation mark, so these bytes occur only between events.
_SEPARATOR: Final = b'},{"'
_DECOMPRESS_LIMIT: Final = 256 * 1024
MAX_PIECE_BYTES: Final = 2 * 1024 * 1024
"""A log event has at most 1 MB, and quoting it as JSON at most doubles it.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
"""
_OVERSIZED_KEPT_BYTES: Final = 4_096
_OVERSIZED_MARK: Final = b"\x00"
_PARSE_ERRORS: Final = (ValueError, RecursionError)
_MESSAGE_ERRORS: Final = (*_PARSE_ERRORS, KeyError, TypeError)


@dataclass
class BatchCounts:
    """Counts of the log events of a batch by result. `bytes` is the size of the decompressed JSON."""

    events: int = 0
    parsed: int = 0
    malformed: int = 0
    too_long: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Batch:
    """The source of a batch, and an iterator over its log events."""

    message_type: str
    owner: str
    log_group: str
    log_stream: str
    pieces: Iterator[bytes]
    counts: BatchCounts = field(default_factory=BatchCounts)

    def records(self, may_matter: Callable[[bytes], bool], parse_json: JsonParser) -> Iterator[Any]:
        """The parsed messages of the log events that pass `may_matter`. An unreadable one is counted and skipped.

        Raises:
            MalformedEvent: the compressed data is truncated.
        """
        for piece in self.pieces:
            self.counts.events += 1
            self.counts.bytes += len(piece)
            if _OVERSIZED_MARK in piece:
                self.counts.too_long += 1
            elif may_matter(piece):
                try:
                    record = parse_json(parse_json(piece)["message"])
                except _MESSAGE_ERRORS:
                    self.counts.malformed += 1
                else:
                    self.counts.parsed += 1
                    yield record


def open_batch(event: object, parse_json: JsonParser) -> Batch:
    """Read a batch up to its first log event.

    Raises:
        MalformedEvent: the event is not from a subscription.
    """
    pieces = _pieces(_compressed(event))
    first = next(pieces)
    head, found, rest = first.partition(_EVENTS)
    if not found:
        raise MalformedEvent('the payload of the subscription has no "logEvents":[ in the compact form of CloudWatch Logs')
    try:
        header = parse_json(head + _EVENTS + b"]}")
    except _PARSE_ERRORS:
        raise MalformedEvent("the payload of the subscription has no valid header") from None
    return Batch(
        message_type=text(header, "messageType"),
        owner=text(header, "owner"),
        log_group=text(header, "logGroup"),
        log_stream=text(header, "logStream"),
        pieces=_complete(rest, pieces),
    )


def _compressed(event: object) -> bytes:
    data = text(event, "awslogs", "data")
    if not data:
        raise MalformedEvent("the event is not from a CloudWatch Logs subscription: awslogs.data is missing")
    try:
        return b64decode(data, validate=True)
    except (NotBase64, ValueError):
        raise MalformedEvent("awslogs.data is not base64") from None


def _pieces(compressed: bytes) -> Iterator[bytes]:
    """The decompressed JSON text, split between log events."""
    inflate = zlib.decompressobj(wbits=31)  # gzip
    rest = b""
    while not inflate.eof:
        try:
            step = inflate.decompress(compressed, _DECOMPRESS_LIMIT)
        except zlib.error as error:
            raise MalformedEvent(f"awslogs.data is not gzip: {error}") from None
        compressed = inflate.unconsumed_tail
        if not step and not inflate.eof:
            raise MalformedEvent("awslogs.data is truncated")
        *complete, rest = (rest + step).split(_SEPARATOR)
        yield from complete
        if len(rest) > MAX_PIECE_BYTES:
            rest = rest[:_OVERSIZED_KEPT_BYTES] + _OVERSIZED_MARK
    yield rest


def _complete(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces with the bytes that the split removed, so that each is a JSON object."""
    piece = first
    for following in others:
        yield piece + b"}"
        piece = b'{"' + following
    last, closed, _ = piece.rpartition(b"}]")
    if closed:
        yield last + b"}"
    elif not piece.startswith(b"]"):  # an empty list has no event; anything else counts as malformed
        yield piece
