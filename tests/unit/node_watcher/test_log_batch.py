"""A batch is read piece by piece. Unreadable events are counted and skipped."""

import json
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdas.domain.errors import MalformedEvent
from lambdas.node_watcher.log_batch import MAX_PIECE_BYTES, BatchCounts, open_batch
from tests.unit.node_watcher.audit_records import ACCOUNT, LOG_GROUP, LOG_STREAM, packed, payload


def _read(event: object) -> tuple[list[Any], BatchCounts]:
    batch = open_batch(event, orjson.loads)
    return list(batch.records(lambda _: True, orjson.loads)), batch.counts


TRICKY = ['},{"', '"},{"', '\\"},{\\"', "}]", '{"a":"}]}"}', "\\", '"', "[{}]", '},{"id":"x","message":"y"}', "\x00", "é😀"]


@pytest.mark.parametrize("text", TRICKY, ids=ascii)
def test_text_inside_a_message_is_never_a_boundary(text: str) -> None:
    records = [{"text": text}, {text: 1}, {"last": text}]
    assert _read(payload(records))[0] == records


@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=30) | st.sampled_from(TRICKY), max_size=3), max_size=20))
def test_every_packed_record_is_read(records: list[dict[str, str]]) -> None:
    read, counts = _read(payload(records))
    assert read == records
    assert (counts.events, counts.parsed, counts.malformed, counts.too_long) == (len(records), len(records), 0, 0)


def test_the_header_names_the_source() -> None:
    batch = open_batch(payload([]), orjson.loads)
    assert (batch.message_type, batch.owner, batch.log_group, batch.log_stream) == ("DATA_MESSAGE", ACCOUNT, LOG_GROUP, LOG_STREAM)
    assert _read(payload([])) == ([], BatchCounts())


def test_keys_after_the_events_are_ignored() -> None:
    assert _read(payload([{"a": 1}, {"b": 2}], policyLevel="ACCOUNT_LEVEL_POLICY"))[0] == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(
    "broken", ['{"kind":"Event","verb":"pat', "", "not JSON", '{"a":' * 5_000, "[" * 100_000], ids=lambda item: item[:20]
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_line_that_is_not_json_is_counted_and_skipped(broken: str, place: int) -> None:
    lines: list[Any] = [{"n": 1}, {"n": 2}]
    lines.insert(place, broken)
    read, counts = _read(payload(lines))
    assert read == [{"n": 1}, {"n": 2}]
    assert (counts.events, counts.malformed) == (3, 1)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_oversized_line_is_counted_and_skipped(place: int) -> None:
    lines: list[Any] = [{"n": 1}, {"n": 2}]
    lines.insert(place, {"long": "x" * (MAX_PIECE_BYTES + 300_000)})
    read, counts = _read(payload(lines))
    assert read == [{"n": 1}, {"n": 2}]
    assert (counts.events, counts.too_long) == (3, 1)


def test_a_long_line_within_the_limit_is_read() -> None:
    lines = [{"long": "x" * 1_000_000}, {"n": 2}]
    assert _read(payload(lines))[0] == lines


def test_memory_does_not_grow_with_the_batch() -> None:
    event = payload({"n": item, "filler": "x" * 50_000} for item in range(1_000))  # 50 MB of JSON
    batch = open_batch(event, orjson.loads)
    tracemalloc.start()
    assert sum(1 for _ in batch.records(lambda _: True, orjson.loads)) == 1_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert batch.counts.bytes > 50_000_000
    assert peak < 8_000_000


def test_a_decompression_bomb_does_not_fill_the_memory() -> None:
    bomb = packed(b'{"messageType":"DATA_MESSAGE","logEvents":[{"message":"' + b"x" * 50_000_000 + b'"}]}')
    tracemalloc.start()
    read, counts = _read(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (read, counts.too_long) == ([], 1)
    assert peak < 20_000_000


GOOD = payload([{"a": 1}])["awslogs"]["data"]


@pytest.mark.parametrize(
    "event",
    [
        *(None, [], "x", {}, {"awslogs": None}, {"awslogs": {}}, {"awslogs": {"data": ""}}, {"awslogs": {"data": 7}}),
        *({"awslogs": {"data": item}} for item in ("%%%", "é", "aGVsbG8=", GOOD[:-8], GOOD[: len(GOOD) // 2 // 4 * 4], GOOD[:16])),
        *(packed(item) for item in (b"", b"[]", b"{}", b"null", b'{"logEvents":', b'nonsense"logEvents":[]}', b'["logEvents":[]}')),
        packed(json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [{"message": "{}"}]}, indent=1).encode()),
    ],
)
def test_an_event_that_is_not_a_batch_is_malformed(event: object) -> None:
    with pytest.raises(MalformedEvent):
        _read(event)


@settings(max_examples=300)
@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 255))
def test_damaged_data_raises_only_malformed_event(body: bytes, place: int, value: int) -> None:
    import base64

    good = bytearray(base64.b64decode(GOOD))
    good[place % len(good)] = value
    for event in (packed(body), {"awslogs": {"data": base64.b64encode(bytes(good)).decode()}}):
        try:
            _read(event)
        except MalformedEvent:
            continue
