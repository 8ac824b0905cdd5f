"""Keeps a copy of all objects of a kind by list and watch, as controllers do."""

import http.client
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Self

from sandbox.control_plane.api_client import ApiClient, Stream

Object = Mapping[str, Any]
ChangeCallback = Callable[[Iterable[Object]], None]
"""Receives all current objects."""

RETRY_DELAY_S = 0.2


class Informer:
    """Watches one path in a thread; a context manager. The callback is called on entering and after each change.

    A broken watch is restarted with a list.
    """

    def __init__(self, client: ApiClient, path: str, on_change: ChangeCallback = lambda _: None) -> None:
        self._client = client
        self._path = path
        self._on_change = on_change
        self._known: dict[str, Object] = {}
        self._ending = threading.Event()
        self._stream: Stream | None = None
        self._thread = threading.Thread(target=self._run, name="informer", daemon=True)

    def __enter__(self) -> Self:
        self._version = self._list()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._stream is not None:
            self._stream.close()
        self._thread.join(timeout=10)

    def objects(self) -> list[Object]:
        """The current objects, slightly behind the API server; they must not be changed."""
        return list(self._known.values())

    def _list(self) -> str:
        found = self._client.get(self._path)
        self._known = {each["metadata"]["uid"]: each for each in found["items"]}
        self._on_change(self.objects())
        return str(found["metadata"]["resourceVersion"])

    def _run(self) -> None:
        while not self._ending.is_set():
            with suppress(OSError, http.client.HTTPException):
                self._watch()
            if not self._ending.wait(RETRY_DELAY_S):
                with suppress(OSError, http.client.HTTPException):
                    self._version = self._list()

    def _watch(self) -> None:
        """Return when the API server ends the watch, or no longer knows its resource version."""
        with self._client.stream(self._path, watch="1", resourceVersion=self._version) as self._stream:
            for line in self._stream:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self._update(event["type"], event["object"])

    def _update(self, kind: str, changed: Object) -> None:
        uid = changed["metadata"]["uid"]
        self._known = {**self._known, uid: changed} if kind != "DELETED" else {k: v for k, v in self._known.items() if k != uid}
        self._on_change(self.objects())
