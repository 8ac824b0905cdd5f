"""`explain-log`: rotated and compressed files as one log, and limits of reading."""

from __future__ import annotations

import gzip
import io
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from cli.main import app
from cli.queries.node_log_files import NodeLogFiles
from lambdas.domain.diagnosis.node_log import LONGEST_LINE
from tests.cli_runner import CliRunner

if TYPE_CHECKING:
    from pathlib import Path


def lines(*files: Path, limit: int = 1 << 20) -> tuple[list[str], NodeLogFiles]:
    log = NodeLogFiles([str(file) for file in files], limit=limit)
    return list(log), log


def test_rotated_files_precede_the_current_file(tmp_path: Path) -> None:
    names = ("ipamd.log", "ipamd-2026-05-14T09-00-00.000.log.gz", "ipamd-2026-05-14T08-00-00.000.log")
    for name in names:
        content = f"line of {name}\n".encode()
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    found, log = lines(*(tmp_path / name for name in names))
    assert found == [f"line of {name}" for name in reversed(names)]
    assert log.place(2) == (str(tmp_path / names[1]), 1)


def test_the_same_file_given_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\n")
    assert lines(tmp_path / "a", tmp_path / "a")[0] == ["one"]


@pytest.mark.parametrize("size", [LONGEST_LINE, 4 * LONGEST_LINE, 4 * LONGEST_LINE + 1, 300_000])
def test_a_long_line_stays_one_line_and_is_cut(tmp_path: Path, size: int) -> None:
    (tmp_path / "a").write_text("x" * size + "\nnext\n")
    found, _ = lines(tmp_path / "a")
    assert found[1:] == ["next"]
    assert len(found[0]) == min(size, 4 * LONGEST_LINE + 1)


def test_reading_stops_at_the_limit(tmp_path: Path) -> None:
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"0" * 10_000_000))
    found, log = lines(tmp_path / "bomb.gz", limit=1000)
    assert (found, log.is_cut) == ([], True)


class EndlessStream(io.RawIOBase):
    """A stream of one line that never ends."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # any buffer
        buffer[:] = b"0" * len(buffer)
        return len(buffer)


@pytest.mark.timeout(20)
def test_a_line_without_an_end_is_not_read_beyond_the_limit() -> None:
    with patch("sys.stdin", SimpleNamespace(buffer=io.BufferedReader(EndlessStream()))):
        assert list(NodeLogFiles(["-"], limit=100_000)) == []


def test_standard_input_may_be_compressed() -> None:
    content = gzip.compress(b"InvalidIdentityToken\n")
    with patch("sys.stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(content)))):  # type: ignore[arg-type]  # as a raw stream
        assert list(NodeLogFiles(["-"])) == ["InvalidIdentityToken"]


def test_bytes_that_are_no_text_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe InvalidIdentityToken\n")
    result = CliRunner().invoke(app, ["explain-log", str(tmp_path / "a"), "-o", "json"])
    assert result.exit_code == 1
    assert [cause["id"] for cause in json.loads(result.stdout)["causes"]] == ["identity-token-rejected"]
