"""The Makefile works with the tools of macOS: BSD options, make 3.81 and bash 3.2."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.unit.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
BSD_TOOL = """#!/bin/sh
for option in "$@"; do
  case "$option" in
    --*|{refused}) echo "{name}: illegal option $option" >&2; exit 64 ;;
  esac
done
exec {real} "$@"
"""
GNU_ONLY = {
    "sed": "-u|-r|-z|-s",
    "awk": "-S",
    "find": "-printf|-regextype",
    "rm": "-I",
    "cp": "-t",
    "mv": "-t",
    "sort": "-h|-V",
    "nice": "-x",
}
"""Options that the BSD tools lack."""


@pytest.fixture
def bsd(tmp_path: Path) -> dict[str, str]:
    """An environment whose first tools in PATH refuse the options that BSD lacks."""
    for name, refused in GNU_ONLY.items():
        tool = tmp_path / name
        tool.write_text(BSD_TOOL.format(name=name, refused=refused, real=shutil.which(name)))
        tool.chmod(0o755)
    own = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}  # of an outer make
    return {**own, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}


def make(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_tools_of_the_test_refuse_what_bsd_lacks(bsd: dict[str, str]) -> None:
    assert subprocess.run(["sed", "-u", "p"], env=bsd, input="", text=True, capture_output=True, check=False).returncode == 64


def test_help_is_shown(bsd: dict[str, str]) -> None:
    shown = make("help", environment=bsd)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "make demo" in shown.stdout


@pytest.mark.parametrize("code", [0, 3])
def test_concurrent_output_carries_the_lane_and_keeps_the_exit_status(code: int, bsd: dict[str, str]) -> None:
    ran = make("infra", "PARALLEL=1", f"PYTEST=sh -c 'echo one; echo two; exit {code}'", environment=bsd)
    assert "infra: one\ninfra: two\n" in ran.stdout
    assert bool(ran.returncode) == bool(code), ran.stderr


def test_the_pinned_installer_is_found_in_the_requirements(bsd: dict[str, str]) -> None:
    command = re.search(r"<\((sed .+?)\)$", MAKEFILE, re.MULTILINE)
    assert command
    found = subprocess.run(["bash", "-c", command[1].replace("$$", "$")], cwd=ROOT, env=bsd, capture_output=True, text=True, check=True)
    assert found.stdout.startswith("uv==")
    assert found.stdout.count("==") == 1


def test_an_old_python_is_refused_with_the_next_step(bsd: dict[str, str], tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    refused = make("setup", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}", environment=bsd)
    assert refused.returncode != 0
    assert "Python 3.11 or newer is needed, for example: make setup PYTHON=python3.13" in refused.stdout
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    ("pattern", "since"),
    [
        (r"^\.SHELLFLAGS", "make 3.82"),
        (r"^\.ONESHELL", "make 3.82"),
        (r"^\w+ *(::|!)= ", "make 4.0"),
        (r"\$\(file ", "make 4.0"),
        (r"\|&|&>>", "bash 4.0"),
        (r"\$\$\{\w+(,,|\^\^|@)", "bash 4.0"),
        (r"\b(mapfile|readarray|declare -A)\b", "bash 4.0"),
    ],
)
def test_the_makefile_uses_nothing_that_macos_lacks(pattern: str, since: str) -> None:
    assert re.findall(pattern, re.sub(r"^#.*$", "", MAKEFILE, flags=re.MULTILINE), re.MULTILINE) == [], since


def test_only_benchmarks_and_tests_of_linux_read_proc() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for folder in ("lambdas", "cli", "preflight", "sandbox", "infra", "release", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if re.search(r"""["']/proc\b""", path.read_text(encoding="utf-8"))
    }
    assert readers <= {"tests/e2e/test_lifecycle.py", "tests/unit/docs/test_portability.py"}
