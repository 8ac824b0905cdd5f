"""Links between pages refer to existing files."""

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import PAGES, ROOT, named, prose

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_OPERATORS_PAGES = ("docs/adopt.md", "docs/deploy.md", "docs/operate.md", "docs/understand.md", "CONTRIBUTING.md")


def links(page: Path) -> list[str]:
    return [item for item in LINK.findall(prose(page)) if not item.startswith(("http", "mailto:"))]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_refers_to_an_existing_file(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


def test_the_readme_links_to_the_main_pages() -> None:
    assert set(_OPERATORS_PAGES) <= set(links(ROOT / "README.md"))


def link_targets(page: Path) -> list[Path]:
    """Return the targets of a page's links. A folder counts as its pages."""
    found = [(page.parent / link).resolve() for link in links(page)]
    return [inner for item in found for inner in (sorted(item.glob("*.md")) if item.is_dir() else [item])]


def test_every_page_is_reachable_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += link_targets(page)
    assert [named(item) for item in PAGES if item not in reached] == []
