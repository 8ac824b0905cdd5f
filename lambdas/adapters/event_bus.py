"""EventBridge: our own events onto the bus."""

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
_TRIES: Final = 3
_FIRST_PAUSE_S: Final = 0.1
_WORTH_A_RETRY: Final = frozenset({"ThrottlingException", "InternalFailure", "InternalException", "ConcurrentModificationException"})


class EventBus:
    """Implements `EventsPort`. `bus` is a name or an ARN."""

    def __init__(self, session: AwsSession, bus: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._session = session
        self._bus = bus
        self._sleep = sleep

    def put(self, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Send `(detail-type, detail)` events of ours, ten a call. Those that were refused are sent again, the others are not.

        Raises:
            TransientError: some were refused three times.
            PermanentError: the bus will never take one of them.
        """
        entries = [self._entry(kind, detail) for kind, detail in events]
        for start in range(0, len(entries), BATCH):
            self._put_batch(entries[start : start + BATCH])

    def _put_batch(self, entries: list[dict[str, Any]]) -> None:
        left = entries
        for attempt in range(_TRIES):
            if attempt:
                self._sleep(random.uniform(0, _FIRST_PAUSE_S * 2**attempt))  # noqa: S311  # spreads retries, guards nothing
            left, why = self._refused(left)
            if not left:
                return
        raise TransientError(f"put {len(entries)} events on bus {self._bus}: {len(left)} were refused: {why}")

    def _refused(self, entries: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
        attempt = f"put {len(entries)} events on bus {self._bus}"
        with translated(attempt):
            answer = self._session.client("events").put_events(Entries=entries)
        refused = [(entry, said) for entry, said in zip(entries, answer["Entries"], strict=True) if said.get("ErrorCode")]
        hopeless = [said for _, said in refused if said["ErrorCode"] not in _WORTH_A_RETRY]
        if hopeless:
            raise PermanentError(f"{attempt}: {hopeless[0]['ErrorCode']} {hopeless[0].get('ErrorMessage', '')}"[:300])
        return [entry for entry, _ in refused], refused[0][1]["ErrorCode"] if refused else ""

    def _entry(self, kind: str, detail: Mapping[str, Any]) -> dict[str, Any]:
        body = orjson.dumps(detail).decode()
        return {"EventBusName": self._bus, "Source": EVENT_SOURCE, "DetailType": kind, "Detail": body}
