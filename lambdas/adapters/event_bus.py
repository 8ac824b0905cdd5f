"""EventBridge: publishes the product's own events."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, Final

import orjson

from lambdas.adapters.aws_errors import translated
from lambdas.contract.names import EVENT_SOURCE
from lambdas.domain.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lambdas.adapters.aws_session import AwsSession

BATCH: Final = 10
"""Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""
_ATTEMPTS: Final = 3
_FIRST_PAUSE_S: Final = 0.1
_RETRYABLE: Final = frozenset({"ThrottlingException", "InternalFailure", "InternalException", "ConcurrentModificationException"})


class EventBus:
    """Implements `EventsPort`. `bus` is a name or an ARN."""

    def __init__(self, session: AwsSession, bus: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._session = session
        self._bus = bus
        self._sleep = sleep

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Send `(detail-type, detail)` events, ten per call, and retry the rejected ones.

        Raises:
            TransientError: some events were rejected three times.
            PermanentError: a retry of an event cannot help.
        """
        entries = [self._entry(kind, detail) for kind, detail in events]
        for start in range(0, len(entries), BATCH):
            self._put_batch(entries[start : start + BATCH])

    def _put_batch(self, entries: list[dict[str, Any]]) -> None:
        remaining = entries
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(random.uniform(0, _FIRST_PAUSE_S * 2**attempt))  # noqa: S311  # jitter, not security
            remaining, code = self._put_once(remaining)
            if not remaining:
                return
        raise TransientError(f"put {len(entries)} events on bus {self._bus}: {len(remaining)} were rejected: {code}")

    def _put_once(self, entries: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
        attempt = f"put {len(entries)} events on bus {self._bus}"
        with translated(attempt):
            answer = self._session.client("events").put_events(Entries=entries)
        rejected = [(entry, result) for entry, result in zip(entries, answer["Entries"], strict=True) if result.get("ErrorCode")]
        permanent = [result for _, result in rejected if result["ErrorCode"] not in _RETRYABLE]
        if permanent:
            raise PermanentError(f"{attempt}: {permanent[0]['ErrorCode']} {permanent[0].get('ErrorMessage', '')}"[:300])
        return [entry for entry, _ in rejected], rejected[0][1]["ErrorCode"] if rejected else ""

    def _entry(self, kind: str, detail: Mapping[str, Any]) -> dict[str, Any]:
        body = orjson.dumps(detail).decode()
        return {"EventBusName": self._bus, "Source": EVENT_SOURCE, "DetailType": kind, "Detail": body}
