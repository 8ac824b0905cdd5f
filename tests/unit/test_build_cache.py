"""Builds are made once, are never visible half done, and are removed when unused."""

import os
import time
from pathlib import Path

import pytest

from infra.build_cache import KEPT_S, build_once


def fill(whole: Path) -> None:
    whole.mkdir()
    (whole / "file").write_text("built")


def aged(folder: Path, seconds: float) -> Path:
    at = time.time() - seconds
    os.utime(folder, (at, at))
    return folder


def test_an_existing_build_is_reused(tmp_path: Path) -> None:
    build_once(tmp_path / "a", fill)
    assert (build_once(tmp_path / "a", lambda _: pytest.fail("built twice")) / "file").read_text() == "built"


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fails(whole: Path) -> None:
        fill(whole)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        build_once(tmp_path / "a", fails)
    assert list(tmp_path.iterdir()) == []


def test_unused_neighbours_go_when_another_is_built_and_used_ones_stay(tmp_path: Path) -> None:
    for name in ("unused", "used", "young"):
        build_once(tmp_path / name, fill)
    aged(tmp_path / "unused", KEPT_S + 60)
    aged(tmp_path / "used", KEPT_S + 60)
    build_once(tmp_path / "used", fill)
    build_once(tmp_path / "new", fill)
    assert {path.name for path in tmp_path.iterdir()} == {"used", "young", "new"}
