"""The control loop: read a snapshot, ask each controller for changes, apply them, wait for the next change."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Self

from sandbox.controllers.api_changes import Change, WakeAt, apply_change
from sandbox.controllers.cluster_snapshot import ClusterSnapshot, read_snapshot

if TYPE_CHECKING:
    from sandbox.controllers.client import Client

Step = Callable[[ClusterSnapshot, float], Iterable[Change]]
"""(snapshot, monotonic seconds) -> changes."""

_MAX_INTERVAL_S = 1.0
_LISTEN_S = 0.1  # longest delay until the loop notices that it must stop
_GATHER_S = 0.004  # changes arrive in bursts; one round handles a burst
_log = logging.getLogger(__name__)


class ControlLoop:
    """Runs controllers in one thread; a context manager."""

    def __init__(self, client: Client, steps: Sequence[Step]) -> None:
        self._client = client
        self._steps = tuple(steps)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="behaviours", daemon=True)
        self.failure: Exception | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)

    def run_round(self, now_s: float) -> float:
        """One round of every controller; returns the latest time of the next round, in monotonic seconds."""
        snapshot, due_s = read_snapshot(self._client), now_s + _MAX_INTERVAL_S
        for step in self._steps:
            for change in step(snapshot, now_s):
                if isinstance(change, WakeAt):
                    due_s = min(due_s, change.at_s)
                else:
                    apply_change(change, self._client)
        return due_s

    def _rest(self, seen: int, due_s: float) -> None:
        """Wait for a change after revision `seen`, for the due time, or for the end."""
        while (left_s := due_s - time.monotonic()) > 0 and not self._stopping.is_set():
            if self._client.wait(seen, min(left_s, _LISTEN_S)) > seen:
                break
        self._stopping.wait(_GATHER_S)

    def _run(self) -> None:
        seen = 0
        try:
            while not self._stopping.is_set():
                seen = self._client.wait(seen, 0.0)
                self._rest(seen, self.run_round(time.monotonic()))
        except Exception as failure:
            self.failure = failure
            _log.exception("a behaviour of the sandbox failed")
            raise
