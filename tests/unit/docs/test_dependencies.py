"""The dependency table has one row for each package of pyproject.toml, with its current size."""

import re
import tomllib
from importlib.metadata import distribution
from typing import Any

import pytest

from tests.unit.docs.pages import ROOT

PAGE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([a-z0-9-]+) \| ([^|]+) \| ([\d.]+) \| ([^|]+) \|$", PAGE, flags=re.MULTILINE)


def declared() -> set[str]:
    pyproject: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = pyproject["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values(), *pyproject["dependency-groups"].values()]
    return {re.split(r"[\[>=<~! ;]", item)[0] for found in lists for item in found if isinstance(item, str)}


def test_every_dependency_has_one_row() -> None:
    assert sorted(name for name, *_ in ROWS) == sorted(declared())


FUNCTIONS = PAGE.split("## In the command line")[0]
INSTALLED = [(name, float(size)) for name, _, size, _ in ROWS if f"| {name} |" not in FUNCTIONS]


@pytest.mark.parametrize(("name", "expected"), INSTALLED, ids=[name for name, _ in INSTALLED])
def test_the_installed_size_of_a_package_is_about_the_size_in_the_table(name: str, expected: float) -> None:
    files = (file.locate() for file in distribution(name).files or () if "__pycache__" not in str(file))
    measured = sum(path.stat().st_size for path in files if path.exists()) / 1e6  # type: ignore[attr-defined]  # `locate` returns a path
    assert measured <= 2 * expected
    assert measured >= expected / 2 or expected <= 0.1
