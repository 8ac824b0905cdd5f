"""Have another package installed than the one that was reviewed: the attacker controls a package registry, a mirror or a version."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.attacks.threat import Threat

THREAT = Threat(
    name="swapped package",
    actor="operator of a package registry or mirror",
    controls="the files behind a name and a version",
    attempt="have other code installed into the functions, the build or the tools",
    prevention="each requirement names one version and the hashes of its files, in every list; set-up, build and release check them, from "
    "the installer of `make setup` on, and the functions' packages are wheels only; `package-lock.json` has the hashes of npm packages",
    proof=(
        "test_each_requirement_names_one_version_and_its_hashes",
        "test_set_up_build_and_release_check_the_hashes",
        "test_the_lock_file_of_npm_has_an_integrity_for_each_package",
    ),
    residual="a version that was hostile when its hash was recorded. `uv tool install .` and the GitHub Action install the command's "
    "dependencies by version range, without hashes: they are on the machine that runs the command, not in the functions",
)
ROOT: Final = Path(__file__).resolve().parents[2]
LISTS: Final = ("requirements.txt", "requirements-dev.txt", "lambdas/requirements.txt")
INSTALLS: Final = re.compile(r'pip["\']?,? ["\']?(?:install|sync)\b')
SOURCES: Final = [ROOT / "Makefile", *(ROOT / "infra").glob("*.py"), *(ROOT / "release").glob("*.py")]


def requirements(text: str) -> list[str]:
    """The logical lines of a list: a backslash continues a line."""
    joined = text.replace("\\\n", " ")
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("name", LISTS)
def test_each_requirement_names_one_version_and_its_hashes(name: str) -> None:
    lines = requirements((ROOT / name).read_text(encoding="utf-8"))
    assert lines
    pinned = re.compile(r"[\w.-]+(\[[\w,.-]+\])?==[\w.!+]+ (?:; .*?)?(?: *--hash=sha256:[0-9a-f]{64})+(?: *#.*)?$")
    assert [line for line in lines if not pinned.match(line)] == []


def test_set_up_build_and_release_check_the_hashes() -> None:
    found = [
        (file.name, line.strip())
        for file in SOURCES
        for line in file.read_text(encoding="utf-8").splitlines()
        if INSTALLS.search(line) and "raise " not in line
    ]
    assert len(found) >= 4
    assert [place for place in found if "--require-hashes" not in place[1]] == []


def test_the_lock_file_of_npm_has_an_integrity_for_each_package() -> None:
    import json

    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    remote = {name: item for name, item in packages.items() if name and not item.get("link")}
    assert remote
    assert [name for name, item in remote.items() if not str(item.get("integrity", "")).startswith("sha512-")] == []
