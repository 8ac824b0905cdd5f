"""Keeps up with all objects of a kind, by list and watch, as every controller does."""

import http.client
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Self

from sandbox.control_plane.api_client import ApiClient, Stream

Object = Mapping[str, Any]
Told = Callable[[Iterable[Object]], None]
"""Gets every object as it is now."""

AGAIN_S = 0.2


class Informer:
    """Watches one path in a thread of its own; a context manager. `told` is called on entering, and then after each change.

    A watch that breaks is begun again with a list.
    """

    def __init__(self, client: ApiClient, path: str, told: Told = lambda _: None) -> None:
        self._client = client
        self._path = path
        self._told = told
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
        """What is there, a moment behind the API server; to be read and never changed."""
        return list(self._known.values())

    def _list(self) -> str:
        found = self._client.get(self._path)
        self._known = {each["metadata"]["uid"]: each for each in found["items"]}
        self._told(self.objects())
        return str(found["metadata"]["resourceVersion"])

    def _run(self) -> None:
        while not self._ending.is_set():
            with suppress(OSError, http.client.HTTPException):
                self._watch()
            if not self._ending.wait(AGAIN_S):
                with suppress(OSError, http.client.HTTPException):
                    self._version = self._list()

    def _watch(self) -> None:
        """Return when the API server ends the watch, as it does after some minutes, or has forgotten where it began."""
        with self._client.stream(self._path, watch="1", resourceVersion=self._version) as self._stream:
            for line in self._stream:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self._note(event["type"], event["object"])

    def _note(self, kind: str, changed: Object) -> None:
        uid = changed["metadata"]["uid"]
        self._known = {**self._known, uid: changed} if kind != "DELETED" else {k: v for k, v in self._known.items() if k != uid}
        self._told(self.objects())
