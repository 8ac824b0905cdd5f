"""Single operations: one conditional write to DynamoDB, and gzip and orjson over a batch of log records."""

import gzip
import os
from base64 import b64decode
from pathlib import Path

import boto3
import orjson

from benchmarks.baselines import calls
from benchmarks.harness.measurement import Cost, timed


def conditional_writes(events: int) -> Cost:
    """Measure the write that counts a signal."""
    dynamodb = boto3.client("dynamodb", region_name=os.environ["AWS_REGION"])
    for _ in range(20):
        calls.count_signal(dynamodb, "demo")
    whole = timed(lambda: [calls.count_signal(dynamodb, "demo") for _ in range(events)])
    return Cost(wall_ms=whole.wall_ms / events, cpu_ms=whole.cpu_ms / events)


def unpack_batch(batch: str) -> Cost:
    """Measure parsing every record of a batch, after one run that is not measured."""
    event = orjson.loads(Path(batch).read_bytes())

    def once() -> None:
        body = orjson.loads(gzip.decompress(b64decode(event["awslogs"]["data"])))
        records = [orjson.loads(record["message"]) for record in body["logEvents"]]
        assert len(records) == event["records"]

    once()
    return timed(once)
