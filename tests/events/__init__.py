"""The recorded events, with the entry of the index for each."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ACCOUNT = "111122223333"
REGION = "eu-west-1"
ARRIVED_AT = "2026-09-27T21:06:50+00:00"

INDEX: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "index.yaml").read_text(encoding="utf-8"))


def event(name: str) -> dict[str, Any]:
    """A recorded event, parsed anew so that a test may change it."""
    parsed: dict[str, Any] = json.loads(_text(name))
    return parsed


@cache
def _text(name: str) -> str:
    return (HERE / f"{name}.json").read_text(encoding="utf-8")
