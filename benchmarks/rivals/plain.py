"""Plain rivals: one conditional write to DynamoDB; gzip and orjson over a batch of log records."""

import gzip
import os
from base64 import b64decode
from pathlib import Path

import boto3
import orjson

from benchmarks.measure import Cost, timed
from benchmarks.rivals import calls


def conditional_writes(events: int) -> Cost:
    """The write that counts a signal, and nothing else."""
    dynamodb = boto3.client("dynamodb", region_name=os.environ["AWS_REGION"])
    for _ in range(20):
        calls.signal(dynamodb, "demo")
    whole = timed(lambda: [calls.signal(dynamodb, "demo") for _ in range(events)])
    return Cost(wall_ms=whole.wall_ms / events, cpu_ms=whole.cpu_ms / events)


def unpacked(batch: str) -> Cost:
    """Every record of a batch as Python objects, for the second time."""
    event = orjson.loads(Path(batch).read_bytes())

    def once() -> None:
        body = orjson.loads(gzip.decompress(b64decode(event["awslogs"]["data"])))
        records = [orjson.loads(logevent["message"]) for logevent in body["logEvents"]]
        assert len(records) == event["records"]

    once()
    return timed(once)
