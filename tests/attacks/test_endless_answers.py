"""Exhaust the memory or the time of a check with an endless, inflated or slow answer of an API server.

The attacker controls an API server that the cluster's authority vouches for, or decides how large the pods of a ServiceAccount are.
"""

from __future__ import annotations

import json
import time
import tracemalloc
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lambdas.adapters import http_limits, kubernetes_api
from lambdas.domain.errors import PermanentError, RemediatorError, TransientError
from tests.attacks.hostile_server import page, pod, send, serving
from tests.attacks.threat import Threat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

THREAT = Threat(
    name="endless answers",
    actor="operator of an API server, or tenant with large pods",
    controls="size, encoding and speed of answers",
    attempt="exhaust the memory or the time of a check",
    prevention="caps on bytes while reading and inflating, a deadline for each request and list, no repeated `continue`, "
    "smaller pages for large pods",
    proof=(
        "test_an_answer_that_is_too_large_is_refused_in_bounded_memory",
        "test_a_repeated_continuation_is_refused",
        "test_an_answer_that_never_ends_is_given_up_at_its_deadline",
        "test_an_answer_without_an_end_in_its_framing_is_refused_in_bounded_memory",
    ),
    residual="the cluster of that API server is not checked, and a message says so",
)
MOST_MEMORY = 64 << 20
"""A quarter of the checker's memory, in bytes: the process itself takes about a half."""


@contextmanager
def memory_bounded() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY, f"{peak >> 20} MiB"


def bomb() -> bytes:
    """One megabyte of gzip that inflates to a gigabyte."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [deflater.compress(b'{"metadata":{},"items":[],"x":"')]
    parts += [deflater.compress(b"a" * (1 << 20)) for _ in range(1000)]
    return b"".join([*parts, deflater.compress(b'"}'), deflater.flush()])


def chunked(handler: Any, first: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(first), first))


def endless(handler: Any) -> None:
    chunked(handler, b'{"metadata":{},"items":[],"x":"')
    while True:
        handler.wfile.write(b"10000\r\n" + b"a" * 65536 + b"\r\n")


def answering(body: bytes, **headers: str) -> Callable[[Any], None]:
    return lambda handler: send(handler, body, 200, **headers)


TOO_LARGE: dict[str, Callable[[], Callable[[Any], None]]] = {
    "1 MB of gzip that is 1 GB": lambda: answering(bomb(), Content_Encoding="gzip"),
    "an endless body": lambda: endless,
    "two million small values": lambda: answering(b'{"metadata":{},"items":[' + b",".join([b"{}"] * 2_000_000) + b"]}"),
    "one pod of 20 MB": lambda: answering(page([pod(1, 20 << 20)])),
}


@pytest.mark.parametrize("attack", TOO_LARGE.values(), ids=TOO_LARGE)
def test_an_answer_that_is_too_large_is_refused_in_bounded_memory(attack: Callable[[], Callable[[Any], None]]) -> None:
    answer = attack()
    with serving(answer) as cluster, memory_bounded(), pytest.raises(PermanentError, match="the response has more than"):
        cluster.pods("kube-system", "aws-node")
    with serving(answer) as cluster, memory_bounded(), pytest.raises(PermanentError):
        cluster.service_account("kube-system", "aws-node")


def test_large_pods_of_a_tenant_are_read_in_smaller_pages() -> None:
    asked: list[int] = []
    large = {number: json.dumps(pod(number, 1_300_000)).encode() for number in range(120)}

    def honest(handler: Any) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        start, limit = int(query.get("continue", ["0"])[0]), int(query["limit"][0])
        asked.append(limit)
        end = min(start + limit, len(large))
        token = str(end) if end < len(large) else ""
        handler.send_response(200)
        parts = [b'{"metadata":{"continue":"%s"},"items":[' % token.encode()]
        for number in range(start, end):
            parts += [b"," if number > start else b"", large[number]]
        parts.append(b"]}")
        handler.send_header("Content-Length", str(sum(map(len, parts))))
        handler.end_headers()
        for part in parts:
            handler.wfile.write(part)

    with serving(honest) as cluster, memory_bounded():
        found = cluster.pods("apps", "reader")
    assert len(found) == 120
    assert asked[:2] == [kubernetes_api.PAGE_OF_UNKNOWN_SIZE, kubernetes_api.PAGE_OF_UNKNOWN_SIZE // 4]
    assert len(asked) < 60


ENDLESS_LISTS: dict[str, Callable[[Any], None]] = {
    "empty pages": lambda handler: send(handler, page([], "again")),
    "full pages": lambda handler: send(handler, page([pod(number) for number in range(250)], "again")),
}


@pytest.mark.parametrize("answer", ENDLESS_LISTS.values(), ids=ENDLESS_LISTS)
def test_a_repeated_continuation_is_refused(answer: Callable[[Any], None]) -> None:
    with serving(answer) as cluster, pytest.raises(PermanentError, match="repeats a continuation token"):
        cluster.pods("kube-system", "aws-node")


def test_a_list_of_always_new_continuations_ends_at_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_api, "MAX_LISTED", 1_000)
    numbers = iter(range(1_000_000))
    items = [pod(number) for number in range(250)]
    with (
        serving(lambda handler: send(handler, page(items, f"t{next(numbers)}"))) as cluster,
        pytest.raises(PermanentError, match="more than 1000 objects"),
    ):
        cluster.pods("kube-system", "aws-node")
    assert next(numbers) <= 6


def test_a_list_of_always_new_continuations_without_objects_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_api, "LIST_TIMEOUT_S", 0.5)
    numbers = iter(range(1_000_000))
    with serving(lambda handler: send(handler, page([], f"t{next(numbers)}"))) as cluster:
        started = time.monotonic()
        with pytest.raises(TransientError, match="the list was not complete"):
            cluster.pods("kube-system", "aws-node")
    assert time.monotonic() - started < 3


def drip_body(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def drip_chunks(handler: Any) -> None:
    chunked(handler, b"{")
    while True:
        handler.wfile.write(b"1\r\n \r\n")
        handler.wfile.flush()
        time.sleep(0.05)


def drip_header(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        handler.wfile.write(b"X")
        handler.wfile.flush()
        time.sleep(0.05)


def drip_continue(handler: Any) -> None:
    while True:
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        handler.wfile.flush()
        time.sleep(0.05)


def drip_after(start: bytes, part: bytes) -> Callable[[Any], None]:
    """An answer with this start, followed by the same bytes again and again."""

    def drip(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + start)
        while True:
            handler.wfile.write(part)
            handler.wfile.flush()
            time.sleep(0.05)

    return drip


SLOW = {
    "body": drip_body,
    "chunks": drip_chunks,
    "header": drip_header,
    "100 Continue": drip_continue,
    "header fields": drip_after(b"", b"X: y\r\n"),
    "an extension of a chunk": drip_after(b"\r\n1;", b"a"),
    "trailers": drip_after(b"\r\n2\r\n{}\r\n0\r\n", b"X: y\r\n"),
    "gzip": drip_after(b"Content-Encoding: gzip\r\n\r\n", b"1\r\n\x1f\r\n"),
}


@pytest.mark.parametrize("answer", SLOW.values(), ids=SLOW)
def test_an_answer_that_never_ends_is_given_up_at_its_deadline(answer: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_limits, "RESPONSE_TIMEOUT_S", 0.6)
    with serving(answer) as cluster:
        started = time.monotonic()
        with pytest.raises(RemediatorError) as raised:
            cluster.pods("kube-system", "aws-node")
    assert isinstance(raised.value, TransientError)
    assert time.monotonic() - started < 3


def flood_after(start: bytes, part: bytes) -> Callable[[Any], None]:
    """An answer with this start, followed by the same bytes without a pause."""

    def flood(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + start)
        while True:
            handler.wfile.write(part)

    return flood


FLOODS = {
    "header fields": flood_after(b"", b"X: y\r\n" * 1_000),
    "one header field": flood_after(b"X: ", b"y" * 65_536),
    "an extension of a chunk": flood_after(b"\r\n1;", b"a" * 65_536),
    "the size of a chunk": flood_after(b"\r\n", b"f" * 65_536),
    "trailers": flood_after(b"\r\n2\r\n{}\r\n0\r\n", b"X: y\r\n" * 10_000),
    "one trailer": flood_after(b"\r\n2\r\n{}\r\n0\r\nX: ", b"y" * 65_536),
    "chunks of one byte": flood_after(b"\r\n", b"1\r\n \r\n" * 1_000),
}


@pytest.mark.parametrize("answer", FLOODS.values(), ids=FLOODS)
def test_an_answer_without_an_end_in_its_framing_is_refused_in_bounded_memory(
    answer: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_limits, "RESPONSE_TIMEOUT_S", 1.0)
    with serving(answer) as cluster, memory_bounded():
        started = time.monotonic()
        with pytest.raises(RemediatorError):
            cluster.pods("kube-system", "aws-node")
    assert time.monotonic() - started < 6
