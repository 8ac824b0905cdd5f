"""Worlds of fakes are read without threads."""

import pytest

from sandbox.at_once import AtOnce


@pytest.fixture(autouse=True)
def _without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lambdas.application.snapshot_collection.ThreadPoolExecutor", AtOnce)
