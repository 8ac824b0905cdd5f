"""The diffs in CONTRIBUTING.md apply to the code, and its example verdict passes the tests that it names."""

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.docs.pages import ROOT, Block, blocks

PAGE = ROOT / "CONTRIBUTING.md"
_TREE = ("lambdas", "infra", "sandbox", "cli", "preflight", "scenarios", "tests", "docs", "pyproject.toml")
_NOT_COPIED = shutil.ignore_patterns("__pycache__", "tools", "pictures", "e2e", "chaos", "integration", "preflight", "*.schema.json")


def parts() -> tuple[list[Block], list[Block]]:
    """Return the blocks before the example verdict, and those of the example."""
    found = list(blocks(PAGE))
    start = next(index for index, item in enumerate(found) if "## A new verdict" in item.before)
    return found[:start], found[start:]


SHORT, WORKED = parts()
DIFFERENCES = [item for item in SHORT if item.language == "diff"]
_CONCERNED = "malformed or every_state or failure_mode or has_a_case or has_a_runbook"  # the other tests run in their own lane
KINDS = (
    "a trigger",
    "a polled source",
    "a verdict",
    "a workload",
    "an action",
    "a permission",
    "a message",
    "a setting",
    "an AWS resource",
)


def apply(difference: str, tree: Path) -> None:
    done = subprocess.run(["git", "apply", "-C1", "-"], input=difference, text=True, cwd=tree, capture_output=True, check=False)
    assert done.returncode == 0, f"a diff in CONTRIBUTING.md does not apply; update it:\n{done.stderr}\n{difference}"


def follow(instructions: list[Block], tree: Path) -> None:
    """Apply the diffs of the page and write its new files."""
    for block in instructions:
        if block.language == "diff":
            apply(block.text, tree)
        elif new := re.search(r"New file `([^`]+)`:\s*\Z", block.before):
            (tree / new[1]).write_text(block.text, encoding="utf-8")


def copied(files: set[str], folder: Path) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_the_table_lists_every_kind_of_change_with_its_files() -> None:
    rows = re.findall(r"^\| ((?:an?) [^|]+?) \| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(), flags=re.MULTILINE)
    assert tuple(kind for kind, *_ in rows) == KINDS
    assert all(re.search(r"\]\([^)]+\)", where) for _, where, _ in rows)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=[item.text.split()[1].removeprefix("a/") for item in DIFFERENCES])
def test_each_short_diff_applies_and_the_result_runs(difference: Block, tmp_path: Path) -> None:
    changed = set(re.findall(r"^--- a/(\S+)", difference.text, flags=re.MULTILINE))
    apply(difference.text, copied(changed, tmp_path))
    for name in changed:
        if name.endswith(".py"):
            runpy.run_path(str(tmp_path / name))


def test_the_example_verdict_passes_the_tests_that_it_names(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in _TREE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=_NOT_COPIED)
        else:
            shutil.copyfile(source, tree / name)
    follow(WORKED, tree)
    commands = [line for block in WORKED if block.language == "sh" for line in block.text.splitlines() if " -m pytest " in line]
    assert len(commands) == 2
    for command in commands:
        runnable = command.replace(".venv/bin/python", f"{sys.executable} -P") + f" -p no:cacheprovider -k '{_CONCERNED}'"
        done = subprocess.run(["bash", "-c", f"PYTHONPATH=. {runnable}"], cwd=tree, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-2000:]}"
