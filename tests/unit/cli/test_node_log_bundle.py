"""Bundles of the EKS log collector: which files are read from them, and what a hostile one can do."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from cli.errors import CommandError
from cli.main import app
from cli.queries import node_log_bundle
from cli.queries.node_log_files import NodeLogFiles
from tests.cli_runner import CliRunner

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CURRENT = "./var_log/aws-routed-eni/ipamd.log"
ROTATED = "./var_log/aws-routed-eni/ipamd-2026-05-14T08-00-00.000.log"
REFUSED = b'{"level":"error","msg":"WebIdentityErr: AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"}\n'


def member(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for field, value in fields.items():
        setattr(made, field, value)
    return made


def bundle(path: Path, members: Sequence[tuple[tarfile.TarInfo, bytes]], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]  # the mode is a literal of the callers
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def lines(*files: Path) -> tuple[list[str], NodeLogFiles]:
    log = NodeLogFiles([str(file) for file in files])
    return list(log), log


@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_the_logs_of_a_bundle_are_read_in_the_order_of_their_rotation(tmp_path: Path, mode: str) -> None:
    other = member("./var_log/aws-routed-eni/plugin.log")
    packed = member("./var_log/aws-routed-eni/ipamd-2026-05-14T07-00-00.000.log.gz")
    members = [(member(CURRENT), b"newest\n"), (other, b"other\n"), (member(ROTATED), b"older\n"), (packed, gzip.compress(b"oldest\n"))]
    found, log = lines(bundle(tmp_path / "eks_i-0abc_2026-05-14_0900-UTC_0.7.9.tar.gz", members, mode))
    assert found == ["oldest", "older", "newest"]
    file, line = log.place(3)
    assert (file.endswith(f".tar.gz:{CURRENT}"), line) == (True, 1)


def test_a_bundle_is_explained_without_a_file_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collected = bundle(tmp_path / "eks_i-0abc.tar.gz", [(member(CURRENT), REFUSED)])
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["explain-log", str(collected), "--output", "json"])
    assert result.exit_code == 1
    (cause,) = json.loads(result.stdout)["causes"]
    assert (cause["id"], cause["line"], cause["file"]) == ("trust-refused", 1, f"{collected}:{CURRENT}")
    assert [path.name for path in tmp_path.iterdir()] == [collected.name]


@pytest.mark.parametrize(
    "info",
    [
        member(CURRENT, tarfile.SYMTYPE, linkname="/etc/shadow"),
        member(CURRENT, tarfile.LNKTYPE, linkname="/etc/shadow"),
        member(CURRENT, tarfile.FIFOTYPE),
        member(CURRENT, tarfile.CHRTYPE),
        member("./var_log/aws-routed-eni/../../ipamd.log"),
        member("./var_log/other/ipamd.log"),
    ],
    ids=["symbolic link", "hard link", "pipe", "device", "parent folder", "another folder"],
)
def test_only_regular_logs_of_the_plugin_are_read(tmp_path: Path, info: tarfile.TarInfo) -> None:
    collected = bundle(tmp_path / "eks_i-0abc.tar.gz", [(info, b"")])
    with pytest.raises(CommandError, match=r"has no file aws-routed-eni/ipamd\.log"):
        lines(collected)


def test_a_path_outside_the_bundle_is_only_a_name(tmp_path: Path) -> None:
    collected = bundle(tmp_path / "eks_i-0abc.tar.gz", [(member("/../../etc/aws-routed-eni/ipamd.log"), b"line\n")])
    assert lines(collected)[0] == ["line"]
    assert [path.name for path in tmp_path.iterdir()] == [collected.name]


def test_of_members_with_the_same_name_the_last_one_counts_as_when_they_are_extracted(tmp_path: Path) -> None:
    collected = bundle(tmp_path / "eks_i-0abc.tar.gz", [(member(CURRENT), b"first\n"), (member(CURRENT), b"second\n")])
    assert lines(collected)[0] == ["second"]


def test_a_header_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    huge = member(CURRENT)
    huge.pax_headers = {"comment": "x" * 6_000_000}
    collected = bundle(tmp_path / "eks_i-0abc.tar.gz", [(huge, b"line\n")])
    with pytest.raises(CommandError, match="too large, or a header in it is"):
        lines(collected)


def test_a_bundle_of_zeros_ends_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_log_bundle, "MAX_BUNDLE_BYTES", 1_000_000)
    collected = bundle(tmp_path / "eks_i-0abc.tar.gz", [(member("zeros"), b"0" * 5_000_000), (member(CURRENT), b"line\n")])
    with pytest.raises(CommandError, match="too large"):
        lines(collected)


def test_too_many_files_or_logs_are_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logs = [(member(f"./aws-routed-eni/ipamd-{index}.log"), b"") for index in range(17)]
    with pytest.raises(CommandError, match="has 17 logs"):
        lines(bundle(tmp_path / "logs.tar.gz", logs))
    monkeypatch.setattr(node_log_bundle, "MAX_MEMBERS", 5)
    with pytest.raises(CommandError, match="more than 5 files"):
        lines(bundle(tmp_path / "files.tar.gz", [(member(f"file-{index}"), b"") for index in range(6)]))


@pytest.mark.parametrize("cut", [600, 1_100])
def test_a_damaged_bundle_is_an_error(tmp_path: Path, cut: int) -> None:
    plain = bundle(tmp_path / "whole.tar", [(member("first"), b"x" * 512), (member(CURRENT), b"line\n")], "w")
    damaged = tmp_path / "damaged.tar"
    damaged.write_bytes(plain.read_bytes()[:cut])
    with pytest.raises(CommandError, match=r"not a complete archive|has no file"):
        lines(damaged)


def test_a_compressed_log_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "ipamd.log.gz").write_bytes(gzip.compress(b"line\n"))
    assert lines(tmp_path / "ipamd.log.gz")[0] == ["line"]
