"""The sources of the documentation site: every link refers to a page of the site, or to the repository at the tag of the release."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import pytest

from lambdas.contract.version import VERSION
from release import site
from tests.unit.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FILES = {name: site.place_of(name) for name in site.repository_files()}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    site.write_sources(folder)
    return folder


def test_every_relative_link_of_the_site_refers_to_a_file_in_it(sources: Path) -> None:
    broken = []
    for page in sources.rglob("*.md"):
        text = re.sub(r"^(`{3,}).*?^\1$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
        broken += [(page.name, link) for link in links if not re.match(r"\w+:", link) and not (page.parent / link).is_file()]
    assert broken == []


def navigation() -> list[str]:
    return [place for entry in site.configuration()["nav"] for places in entry.values() for place in places]


def test_every_page_of_the_navigation_exists(sources: Path) -> None:
    assert len(navigation()) > 25
    assert [place for place in navigation() if not (sources / place).is_file()] == []


def test_each_page_of_the_folder_is_in_the_navigation_once() -> None:
    assert len(set(navigation())) == len(navigation())
    assert {place for name, place in FILES.items() if name.endswith(".md") and "/" not in place} <= set(navigation())


@pytest.mark.parametrize(
    ("page", "text", "written"),
    [
        ("README.md", "[a](docs/deploy.md#remove)", "[a](deploy.md#remove)"),
        ("docs/deploy.md", "[a](runbooks)", "[a](runbooks/index.md)"),
        ("docs/runbooks/flapping.md", "[a](../deploy.md)", "[a](../deploy.md)"),
        ("docs/adopt.md", "[a](../lambdas/contract/names.py)", f"[a](https://github.com/eks-irsa-remediator/eks-irsa-remediator/blob/v{VERSION}/lambdas/contract/names.py)"),
        ("docs/adopt.md", "[a](https://example.com/b.md)", "[a](https://example.com/b.md)"),
        ("docs/adopt.md", "[a](#here)", "[a](#here)"),
        ("docs/adopt.md", "```md\n[a](../README.md)\n```", "```md\n[a](../README.md)\n```"),
    ],
)  # fmt: skip
def test_a_link_fits_its_place(page: str, text: str, written: str) -> None:
    assert site.with_links_of_the_site(text, PurePosixPath(page), FILES) == written


def test_a_page_without_links_is_not_changed(sources: Path) -> None:
    for name in ("docs/licenses.md", "docs/runbooks/README.md"):
        blocks = re.findall(r"^```.*?^```$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        assert [block for block in blocks if block not in (sources / FILES[name]).read_text(encoding="utf-8")] == []
