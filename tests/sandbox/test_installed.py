"""The command line installed from a wheel in its own environment, without this checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from infra.asset import uv_binary

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", "lambdas", "cli", "preflight", "sandbox", "infra", "scenarios")
RUNBOOKS = Path("docs") / "runbooks"


def uv(*arguments: str | Path) -> None:
    subprocess.run([uv_binary(), *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def away(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("away")


@pytest.fixture(scope="module")
def wheel(away: Path) -> Path:
    """Built from a copy, since building writes beside the sources."""
    source = away / "source"
    source.mkdir()
    for name in SHIPPED:
        whole = ROOT / name
        if whole.is_dir():
            shutil.copytree(whole, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(whole, source / name)
    shutil.copytree(ROOT / RUNBOOKS, source / RUNBOOKS)
    uv("build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", away / "dist", source)
    shutil.rmtree(source)
    (built,) = (away / "dist").glob("*.whl")
    return built


def installed(away: Path, wheel: Path, extra: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `irsa-remediator` in an empty folder, with an empty home, from an environment that has the wheel alone."""
    place, home = away / f"with{extra}", away / f"home{extra}"
    uv("venv", "--quiet", "--python", sys.executable, place)
    python = place / "bin" / "python"
    uv("pip", "install", "--quiet", "--python", python, "--constraints", ROOT / "requirements-dev.txt", f"{wheel}{extra}")
    (home / "empty").mkdir(parents=True)
    kept = {name: item for name, item in os.environ.items() if not name.startswith(("AWS_", "IRSA_", "PYTHON", "VIRTUAL_ENV", "XDG_"))}
    cached = subprocess.run([uv_binary(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
    environment = {
        **kept,
        "HOME": str(home),
        "UV_CACHE_DIR": cached,
        "NO_COLOR": "1",
        "COLUMNS": "120",
        "AWS_EC2_METADATA_DISABLED": "true",
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(place / "bin" / "irsa-remediator"), *arguments]
        return subprocess.run(command, cwd=home / "empty", env=environment, capture_output=True, text=True, check=False, timeout=500)

    return run


@pytest.fixture(scope="module")
def plain(away: Path, wheel: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    return installed(away, wheel, "")


def test_the_wheel_contains_the_files_of_the_sandbox(wheel: Path) -> None:
    shipped = set(zipfile.ZipFile(wheel).namelist())
    read = [path for folder in SHIPPED[3:] for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {item.relative_to(ROOT).as_posix() for item in read} <= shipped


def test_help_and_a_wrong_profile_need_neither_account_nor_checkout(plain: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    told = plain("--help")
    assert (told.returncode, "preflight" in told.stdout) == (0, True)
    refused = plain("check", "--profile", "nobody", "--region", "eu-west-1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[0] == "error: AWS profile 'nobody' does not exist"


def test_a_runbook_is_printed_without_account_and_checkout(plain: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    printed = plain("runbook", "addon-role-missing")
    assert (printed.returncode, printed.stderr) == (0, "")
    assert printed.stdout.startswith("# addon-role-missing")
    assert "Set before you copy: ADDON, CLUSTER, " in printed.stdout


def test_without_the_extra_simulate_names_the_package_to_install(
    plain: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    assert "addon-role-missing" in plain("simulate", "list").stdout
    refused = plain("simulate", "healthy")
    assert refused.returncode == 2
    wrong, then = refused.stderr.splitlines()
    assert wrong.startswith("error: the sandbox needs moto, ")
    assert "uv tool install --force '.[sandbox]'" in then


def test_simulate_writes_json() -> None:
    command = [sys.executable, "-m", "cli", "simulate", "annotation-missing", "--output", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    Draft202012Validator(json.loads((ROOT / "docs" / "cli.schema.json").read_text(encoding="utf-8"))).validate(document)
    assert (document["scenario"], document["problem"], document["run"]["outcome"]) == ("annotation-missing", None, "verified")
    assert document["run"]["messages"][-1]["content"]["title"].startswith("🟢")


def test_with_the_extra_a_scenario_runs_to_its_end(away: Path, wheel: Path) -> None:
    run = installed(away, wheel, "[sandbox]")
    played = run("simulate", "annotation-missing")
    assert played.returncode == 0, played.stdout + played.stderr
    assert "repaired and verified" in played.stdout
    assert str(ROOT) not in played.stdout + played.stderr
    assert not list((away / "with[sandbox]").rglob(".cache"))
    assert (away / "home[sandbox]" / ".cache" / "eks-irsa-remediator" / "asset").is_dir()
