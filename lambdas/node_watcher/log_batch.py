"""One batch of a CloudWatch Logs subscription: unpacked piece by piece, so that memory does not grow with the batch.

What the function is invoked with is `{"awslogs": {"data": "<base64 of gzip of JSON>"}}`; the JSON is

    {"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/aws/eks/prod-blue/cluster",
     "logStream": "kube-apiserver-audit-6f2b…", "subscriptionFilters": ["…"],
     "logEvents": [{"id": "…", "timestamp": 1790543207355, "message": "{\\"kind\\":\\"Event\\",…}"}, …]}

without white space. `CONTROL_MESSAGE` instead of `DATA_MESSAGE` is CloudWatch Logs trying whether we are there.
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

Loads = Callable[[bytes | str], Any]

_EVENTS: Final = b'"logEvents":['
# No JSON string holds these three bytes, since a quotation mark inside a string has a backslash before it: they only stand between events.
_BETWEEN: Final = b'},{"'
_STEP: Final = 256 * 1024
LONGEST_PIECE: Final = 2 * 1024 * 1024
"""A log event has at most 1 MB, and quoting it once more at most doubles it.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
"""
_KEPT_OF_A_LONGER_ONE: Final = 4_096
_NEVER_JSON: Final = b"\x00"
_NOT_JSON: Final = (ValueError, RecursionError)
_NO_MESSAGE: Final = (*_NOT_JSON, KeyError, TypeError)


@dataclass
class Counts:
    """What became of a batch's log events. `bytes` are those of the unpacked JSON."""

    events: int = 0
    parsed: int = 0
    malformed: int = 0
    too_long: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Batch:
    """Where a batch came from, and its log events, which can be gone through once."""

    message_type: str
    owner: str
    log_group: str
    log_stream: str
    pieces: Iterator[bytes]
    counts: Counts = field(default_factory=Counts)

    def records(self, may_matter: Callable[[bytes], bool], loads: Loads) -> Iterator[Any]:
        """The parsed messages of those log events that may matter. One that cannot be read is counted and passed over.

        Raises:
            MalformedEvent: the batch ends before its end.
        """
        for piece in self.pieces:
            self.counts.events += 1
            self.counts.bytes += len(piece)
            if _NEVER_JSON in piece:
                self.counts.too_long += 1
            elif may_matter(piece):
                try:
                    record = loads(loads(piece)["message"])
                except _NO_MESSAGE:
                    self.counts.malformed += 1
                else:
                    self.counts.parsed += 1
                    yield record


def open_batch(event: object, loads: Loads) -> Batch:
    """Read a batch up to its first log event.

    Raises:
        MalformedEvent: it is no payload of a subscription.
    """
    pieces = _pieces(_compressed(event))
    first = next(pieces)
    head, found, rest = first.partition(_EVENTS)
    if not found:
        raise MalformedEvent('the subscription\'s payload has no "logEvents":[ in the compact form that CloudWatch Logs writes')
    try:
        told = loads(head + _EVENTS + b"]}")
    except _NOT_JSON:
        raise MalformedEvent("the subscription's payload does not begin as one does") from None
    return Batch(
        message_type=text(told, "messageType"),
        owner=text(told, "owner"),
        log_group=text(told, "logGroup"),
        log_stream=text(told, "logStream"),
        pieces=_whole(rest, pieces),
    )


def _compressed(event: object) -> bytes:
    data = text(event, "awslogs", "data")
    if not data:
        raise MalformedEvent("this is no invocation by a CloudWatch Logs subscription: awslogs.data is missing")
    try:
        return b64decode(data, validate=True)
    except (NotBase64, ValueError):
        raise MalformedEvent("awslogs.data is not base64") from None


def _pieces(compressed: bytes) -> Iterator[bytes]:
    """The JSON text, unpacked and cut between log events."""
    inflate = zlib.decompressobj(wbits=31)  # gzip
    rest = b""
    while not inflate.eof:
        try:
            step = inflate.decompress(compressed, _STEP)
        except zlib.error as error:
            raise MalformedEvent(f"awslogs.data is not gzip: {error}") from None
        compressed = inflate.unconsumed_tail
        if not step and not inflate.eof:
            raise MalformedEvent("awslogs.data ends before its end")
        *whole, rest = (rest + step).split(_BETWEEN)
        yield from whole
        if len(rest) > LONGEST_PIECE:
            rest = rest[:_KEPT_OF_A_LONGER_ONE] + _NEVER_JSON
    yield rest


def _whole(first: bytes, others: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces with what the cut took away from each, so that every one is an object again."""
    piece = first
    for following in others:
        yield piece + b"}"
        piece = b'{"' + following
    last, closed, _ = piece.rpartition(b"}]")
    if closed:
        yield last + b"}"
    elif not piece.startswith(b"]"):  # an empty list has no event; anything else is a broken one, and counts as such
        yield piece
