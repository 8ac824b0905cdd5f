"""Change a file of the built functions between two deployments.

The attacker can write to the folder of cached builds on the machine that deploys, and not to the sources.
"""

from pathlib import Path

import pytest

from infra import asset
from tests.attacks.threat import Threat

THREAT = Threat(
    name="tampered asset",
    actor="user of the machine that deploys",
    controls="the folder of cached builds, not the sources",
    attempt="have changed code of the functions deployed",
    prevention="a cached build for Lambda is compared with its digest, names and modes included, and built again from wheels whose hashes "
    "are checked",
    proof=("test_a_changed_build_is_not_deployed", "test_an_unchanged_build_is_used_again"),
    residual="the digest is in the same folder: an attacker who also writes a matching digest is not noticed. `make release` uses no cache",
)
TARGET = asset.Target(platform="any", python="3.13")


@pytest.fixture(autouse=True)
def _build_without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages do not matter here, and their installation takes seconds."""
    monkeypatch.setattr(asset, "_fill_packages", lambda folder, _target: folder.mkdir(parents=True))
    monkeypatch.setattr(asset, "_compile", lambda *_: None)
    monkeypatch.setattr(asset, "_compile_generated", lambda *_: None)


def handler(folder: Path) -> Path:
    return folder / "lambdas" / "checker" / "handler.py"


@pytest.mark.parametrize("attack", ["change", "add", "delete", "mode", "no digest", "damaged digest"])
def test_a_changed_build_is_not_deployed(attack: str, tmp_path: Path) -> None:
    folder = asset.build(TARGET, cache=tmp_path)
    built, digest = asset.tree_digest(folder), folder.parent / "sha256"
    match attack:
        case "change":
            handler(folder).write_text("print('stolen')")
        case "add":
            (folder / "sitecustomize.py").write_text("print('stolen')")
        case "delete":
            handler(folder).unlink()
        case "mode":
            handler(folder).chmod(0o777)
        case "no digest":
            digest.unlink()
        case _:
            digest.write_bytes(b"\xff")
    assert asset.tree_digest(asset.build(TARGET, cache=tmp_path)) == built


def test_an_unchanged_build_is_used_again(tmp_path: Path) -> None:
    folder = asset.build(TARGET, cache=tmp_path)
    inode = handler(folder).stat().st_ino
    assert handler(asset.build(TARGET, cache=tmp_path)).stat().st_ino == inode
