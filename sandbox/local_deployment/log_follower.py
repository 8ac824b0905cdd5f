"""Reads the lines of the deployed functions from their log groups as they arrive."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Self

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_log = logging.getLogger(__name__)

POLL_S: Final = 0.2


class LogFollower:
    """A context manager. `groups` is function name -> log group; `on_line(function, line)` receives each line once."""

    def __init__(self, logs: Any, groups: Mapping[str, str], on_line: Callable[[str, str], None]) -> None:
        self._logs = logs
        self._groups = groups
        self._on_line = on_line
        self._seen: Counter[tuple[str, str, int, str]] = Counter()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-follower", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Read no further lines; can be called again."""
        self._stopping.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._stopping.wait(POLL_S):
            try:
                for function, group in self._groups.items():
                    self._read(function, group)
            except (BotoCoreError, ClientError):
                _log.exception("the logs of the functions could not be read; they are read again")

    def _read(self, function: str, group: str) -> None:
        pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        found = [(function, event["logStreamName"], event["timestamp"], event["message"]) for page in pages for event in page["events"]]
        for line in (Counter(found) - self._seen).elements():  # the emulator gives events no id
            self._on_line(function, line[-1])
        self._seen |= Counter(found)
